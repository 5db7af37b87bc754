#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>

void
base_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "pinstripe: assertion failed: %s (%s:%d)\n", what, file, line);
    abort();
}
