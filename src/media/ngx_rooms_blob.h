/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_BLOB_H
#define NGX_ROOMS_BLOB_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/evp.h>
#include "rooms_str.h"
#include "rooms_image.h"


/*
 * Contents on disk, each once in a tenant:
 *
 *     ROOT/<tenant>/<first two digits>/<sha256>
 *     ROOT/.incoming/<random>            while it is being written
 *
 * No part of a path is a client's text: tenants are validated ids, whose
 * leading dot is written as %2E, and the rest is hexadecimal digits.
 *
 * What the store doesn't refer to is removed when it is a day old (see
 * ngx_rooms_sweep.c); so whoever adds a content that exists already makes it
 * young again.
 */

#define NGX_ROOMS_SHA256       64      /* digits */
#define NGX_ROOMS_MEDIA_ROOT   1024    /* a longer rooms_media_path is refused */
#define NGX_ROOMS_BLOB_PATH    (NGX_ROOMS_MEDIA_ROOT + 160)
#define NGX_ROOMS_BLOB_AGE     (24 * 60 * 60)
#define NGX_ROOMS_INCOMING     "/.incoming"


/* A content on its way to the disk; hashed as it comes. */
typedef struct {
    ngx_str_t        root;             /* lives as long as this */
    rooms_str_t      tenant;           /* likewise */

    off_t            size;
    uint32_t         crc32;            /* as in ZIP */
    u_char           sha256[NGX_ROOMS_SHA256];   /* once it is sealed */
    rooms_image_t    image;            /* its size, if it is one */
    ngx_uint_t       existed;          /* it was there; once it is kept */

    ngx_err_t        err;              /* of what failed, */
    const char      *failed;           /* and its name */

    ngx_fd_t         fd;
    EVP_MD_CTX      *md;
    u_char           temp[NGX_ROOMS_BLOB_PATH];
} ngx_rooms_blob_t;


/*
 * All of these block, and may be called in any thread.  In order: create,
 * append as often as needed, seal, keep (or not), discard in any case.
 */
ngx_int_t ngx_rooms_blob_create(ngx_rooms_blob_t *b, ngx_str_t root,
    rooms_str_t tenant);
ngx_int_t ngx_rooms_blob_append(ngx_rooms_blob_t *b, const u_char *p,
    size_t len);
/* Size, CRC and sha256 are known now; nothing can be appended. */
ngx_int_t ngx_rooms_blob_seal(ngx_rooms_blob_t *b);
/* On the disk for good, and visible under its hash. */
ngx_int_t ngx_rooms_blob_keep(ngx_rooms_blob_t *b);
/* Frees what it holds, and what wasn't kept; of a zeroed one too. */
void ngx_rooms_blob_discard(ngx_rooms_blob_t *b);

/* Where a content is; NUL ended.  `sha256` is 64 digits. */
void ngx_rooms_blob_path(u_char *path, ngx_str_t root, rooms_str_t tenant,
    const u_char *sha256);

/*
 * On the event loop, as NGINX's own handlers open files: for sending, with
 * NGINX's buffers.  NGX_DECLINED: it isn't there whole; NGX_ERROR: it can't
 * be opened, errno says why; both were logged.  The file is closed with the pool, or by
 * ngx_pool_run_cleanup_file(pool, file->fd).
 */
ngx_int_t ngx_rooms_blob_open(ngx_file_t *file, ngx_pool_t *pool,
    ngx_log_t *log, ngx_str_t root, rooms_str_t tenant, const u_char *sha256,
    off_t size);

#endif /* NGX_ROOMS_BLOB_H */
