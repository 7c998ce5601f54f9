/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the ZIP writer and the ZIP reader share: record signatures, flag bits
 * and sizes from PKWARE's APPNOTE.TXT 6.3.9, sections 4.3 (records) and 4.4
 * (fields), and little-endian access to unaligned bytes.
 */

#ifndef ROOMS_ZIP_H
#define ROOMS_ZIP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


#define ROOMS_ZIP_LOCAL_SIG         0x04034b50u   /* 4.3.7 */
#define ROOMS_ZIP_DESCRIPTOR_SIG    0x08074b50u   /* 4.3.9 */
#define ROOMS_ZIP_CENTRAL_SIG       0x02014b50u   /* 4.3.12 */
#define ROOMS_ZIP_END64_SIG         0x06064b50u   /* 4.3.14 */
#define ROOMS_ZIP_LOCATOR_SIG       0x07064b50u   /* 4.3.15 */
#define ROOMS_ZIP_END_SIG           0x06054b50u   /* 4.3.16 */

#define ROOMS_ZIP_LOCAL_LEN         30            /* without name, extra */
#define ROOMS_ZIP_CENTRAL_LEN       46            /* likewise */
#define ROOMS_ZIP_DESCRIPTOR_LEN    24            /* the longest form */
#define ROOMS_ZIP_END64_LEN         56
#define ROOMS_ZIP_LOCATOR_LEN       20
#define ROOMS_ZIP_END_LEN           22

#define ROOMS_ZIP_F_ENCRYPTED       0x0001        /* 4.4.4 */
#define ROOMS_ZIP_F_DESCRIPTOR      0x0008
#define ROOMS_ZIP_F_PATCH           0x0020
#define ROOMS_ZIP_F_STRONG          0x0040
#define ROOMS_ZIP_F_UTF8            0x0800
#define ROOMS_ZIP_F_MASKED          0x2000

#define ROOMS_ZIP_STORE             0             /* 4.4.5 */
#define ROOMS_ZIP_DEFLATE           8

#define ROOMS_ZIP_X_ZIP64           0x0001        /* 4.5.3 */
#define ROOMS_ZIP_X_TIME            0x5455        /* Info-ZIP "UT" */
#define ROOMS_ZIP_X_UNICODE_PATH    0x7075        /* 4.6.9 */

#define ROOMS_ZIP_MAX16             0xffffu       /* the value is in a ZIP64
                                                     record */
#define ROOMS_ZIP_MAX32             0xffffffffu   /* likewise */

#define ROOMS_ZIP_NAME_MAX          512           /* our own limit, in bytes */
#define ROOMS_ZIP_PATH_MAX          (3 * 512)     /* likewise, as UTF-8 */


static inline u_char *
rooms_zip_put16(u_char *p, uint32_t v)
{
    p[0] = (u_char) v;
    p[1] = (u_char) (v >> 8);

    return p + 2;
}


static inline u_char *
rooms_zip_put32(u_char *p, uint32_t v)
{
    return rooms_zip_put16(rooms_zip_put16(p, v), v >> 16);
}


static inline u_char *
rooms_zip_put64(u_char *p, uint64_t v)
{
    return rooms_zip_put32(rooms_zip_put32(p, (uint32_t) v),
                           (uint32_t) (v >> 32));
}


static inline uint32_t
rooms_zip_get16(const u_char *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8;
}


static inline uint32_t
rooms_zip_get32(const u_char *p)
{
    return rooms_zip_get16(p) | rooms_zip_get16(p + 2) << 16;
}


static inline uint64_t
rooms_zip_get64(const u_char *p)
{
    return rooms_zip_get32(p) | (uint64_t) rooms_zip_get32(p + 4) << 32;
}

#endif /* ROOMS_ZIP_H */
