#include "bench/load_random.h"

#include <math.h>

/* Around theta = 1 the closed form of the integral divides by nearly nothing. */
#define THETA_IS_ONE 1e-9

static double
weight(double theta, double x)
{
    return exp(-theta * log(x));
}

/* The integral of x^-theta from 1 to x, and its inverse. */
static double
integral(double theta, double x)
{
    double e = 1.0 - theta, l = log(x);

    return fabs(e) < THETA_IS_ONE ? l : expm1(e * l) / e;
}

static double
integral_inverse(double theta, double y)
{
    double e = 1.0 - theta;

    return fabs(e) < THETA_IS_ONE ? exp(y) : exp(log1p(MAX(e * y, -1.0)) / e);
}

void
load_zipf_init(struct load_zipf *z, uint64_t n, double theta)
{
    ASSERT(n > 0 && theta > 0);
    z->n = n;
    z->theta = theta;
    z->low = integral(theta, 1.5) - 1.0;
    z->high = integral(theta, (double)n + 0.5);
    z->sure = 2.0 - integral_inverse(theta, integral(theta, 2.5) - weight(theta, 2.0));
}

uint64_t
load_zipf_next(const struct load_zipf *z, struct load_rng *r)
{
    for (;;) {
        double y = z->high + load_rng_unit(r) * (z->low - z->high);
        double x = integral_inverse(z->theta, y);
        double k = floor(x + 0.5);

        k = MIN(MAX(k, 1.0), (double)z->n);
        if (k - x <= z->sure || y >= integral(z->theta, k + 0.5) - weight(z->theta, k))
            return (uint64_t)k - 1;
    }
}
