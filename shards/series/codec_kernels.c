#include "shards/series/codec_kernels.h"

extern const struct codec_kernels codec_kernels_base;
#ifdef __x86_64__
extern const struct codec_kernels codec_kernels_avx2, codec_kernels_avx512;
#endif

const struct codec_kernels *codec_kernels;
static const struct codec_kernels *usable[4]; /* slowest first, NULL at the end */

/* Before main, so that threads only ever read the choice. */
__attribute__((constructor)) static void
choose_kernels(void)
{
    unsigned n = 0;

    usable[n++] = &codec_kernels_base;
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("fma"))
        usable[n++] = &codec_kernels_avx2;
    if (n == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        usable[n++] = &codec_kernels_avx512;
#endif
    codec_kernels = usable[n - 1];
}

const struct codec_kernels *const *
codec_kernels_all(void)
{
    return usable;
}
