/* CRC64 as Redis puts it behind a DUMP payload: Jones' polynomial ad93d23594c935a9, bits reflected,
 * nothing inverted. Any thread. */
#ifndef CORE_CRC64_H
#define CORE_CRC64_H

#include "core/base.h"

/* Of p[0, n), continuing `crc` (0 to begin). */
uint64_t crc64(uint64_t crc, const void *p, size_t n);

#endif
