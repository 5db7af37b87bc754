#!/usr/bin/env python3
"""Writes number_pow10.c: python3 net/number_pow10.py > net/number_pow10.c"""

LOWEST, HIGHEST = -342, 324


def entry(e):
    """The leading 128 bits of 10^e: cut off for e >= 0, rounded up for e < 0."""
    if e >= 0:
        v = 10**e
        return v << (128 - v.bit_length()) if v.bit_length() <= 128 else v >> (v.bit_length() - 128)
    d = 10**-e
    q = (1 << (d.bit_length() + 128)) // d
    return (q >> (q.bit_length() - 128)) + 1


print("/* Written by net/number_pow10.py: the leading 128 bits of the powers of ten; see number_priv.h. */")
print('#include "net/number_priv.h"\n')
print("const struct pow10 number_pow10[POW10_MAX - POW10_MIN + 1] = {")
for e in range(LOWEST, HIGHEST + 1):
    v = entry(e)
    print("    {0x%016x, 0x%016x}, /* %d */" % (v >> 64, v & (1 << 64) - 1, e))
print("};")
