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
 * Files on the disk, by their content; each content exists once for each
 * tenant:
 *
 *     ROOT/<tenant>/<first two digits>/<sha256>
 *     ROOT/.incoming/<random>            while it is being written
 *
 * No part of a path comes from a client's text: a tenant is a validated id,
 * whose leading dot becomes %2E, and the rest is hexadecimal digits.
 *
 * A file that the store doesn't refer to is removed when it is a day old
 * (ngx_rooms_sweep.c).  So whoever adds a content that already exists sets
 * its time to now.
 */

#define NGX_ROOMS_SHA256       64      /* digits */
#define NGX_ROOMS_MEDIA_ROOT   1024    /* a longer rooms_media_path is refused */
#define NGX_ROOMS_BLOB_PATH    (NGX_ROOMS_MEDIA_ROOT + 160)
#define NGX_ROOMS_BLOB_AGE     (24 * 60 * 60)
#define NGX_ROOMS_INCOMING     "/.incoming"


/* A content on its way to the disk.  It is hashed as it comes. */
typedef struct {
    ngx_str_t        root;             /* must live as long as this */
    rooms_str_t      tenant;           /* likewise */

    off_t            size;
    uint32_t         crc32;            /* as in ZIP */
    u_char           sha256[NGX_ROOMS_SHA256];   /* set when it is sealed */
    rooms_image_t    image;            /* width and height, if it is a
                                          picture */
    ngx_uint_t       existed;          /* it existed before; set when it is
                                          kept */

    ngx_err_t        err;              /* errno of the failure, */
    const char      *failed;           /* and the call that failed */

    ngx_fd_t         fd;
    EVP_MD_CTX      *md;
    u_char           temp[NGX_ROOMS_BLOB_PATH];
} ngx_rooms_blob_t;


/*
 * These functions block, and may be called in any thread.  Call them in this
 * order: create, append as often as needed, seal, perhaps keep, and always
 * discard.
 */
ngx_int_t ngx_rooms_blob_create(ngx_rooms_blob_t *b, ngx_str_t root,
    rooms_str_t tenant);
ngx_int_t ngx_rooms_blob_append(ngx_rooms_blob_t *b, const u_char *p,
    size_t len);
/* Computes sha256; nothing can be appended afterwards. */
ngx_int_t ngx_rooms_blob_seal(ngx_rooms_blob_t *b);
/* Makes it durable, and visible under its hash. */
ngx_int_t ngx_rooms_blob_keep(ngx_rooms_blob_t *b);
/*
 * Frees everything, and the temporary file if it wasn't kept.  Works on a
 * zeroed structure too.
 */
void ngx_rooms_blob_discard(ngx_rooms_blob_t *b);

/* Writes a content's path, NUL terminated.  `sha256` is 64 digits. */
void ngx_rooms_blob_path(u_char *path, ngx_str_t root, rooms_str_t tenant,
    const u_char *sha256);

/*
 * Opens a content for sending.  Called on the event loop, as NGINX opens
 * files.  NGX_DECLINED: the file is missing or has the wrong size; NGX_ERROR:
 * it can't be opened, see errno.  Both are logged.  The file is closed with
 * the pool, or by ngx_pool_run_cleanup_file(pool, file->fd).
 */
ngx_int_t ngx_rooms_blob_open(ngx_file_t *file, ngx_pool_t *pool,
    ngx_log_t *log, ngx_str_t root, rooms_str_t tenant, const u_char *sha256,
    off_t size);

#endif /* NGX_ROOMS_BLOB_H */
