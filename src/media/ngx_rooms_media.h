/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_MEDIA_H
#define NGX_ROOMS_MEDIA_H

#include "ngx_rooms_commit.h"
#include "ngx_rooms_blob.h"
#include "rooms_json.h"


/*
 * Media: what the store knows of them.  `media` has the metadata by id, and
 * `blobs` counts the ids that refer to a content; the contents themselves
 * are files (ngx_rooms_blob.h).
 */

typedef struct {
    rooms_str_t    id;
    rooms_str_t    sha256;             /* 64 digits */
    off_t          size;
    uint32_t       crc32;
    uint32_t       width;              /* of a picture, or 0 */
    uint32_t       height;
    rooms_str_t    mime;               /* type/subtype */
    rooms_str_t    name;               /* rooms_media_name_valid() */
    rooms_str_t    owner;
    int64_t        created_at;         /* ms */
} ngx_rooms_medium_t;


/* Appends one command whose reply has an element for each id, in order. */
ngx_int_t ngx_rooms_media_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    const rooms_str_t *ids, ngx_uint_t n);

/*
 * An element of that reply; strings are copied into the pool.  NGX_DECLINED:
 * the tenant has no such medium; NGX_ERROR: the store holds nonsense.
 */
ngx_int_t ngx_rooms_media_parse(ngx_pool_t *pool, rooms_str_t json,
    rooms_str_t id, ngx_rooms_medium_t *m);

/*
 * As clients see it, with the comma before it: width and height, and that
 * there is neither a thumbnail nor a scanner.
 */
void ngx_rooms_media_extent(rooms_buf_t *b, const ngx_rooms_medium_t *m);

/* The JSON that the store keeps, which has NGX_ROOMS_MEDIUM_JSON(m) at most. */
void ngx_rooms_media_put(rooms_buf_t *b, const ngx_rooms_medium_t *m);

#define NGX_ROOMS_MEDIUM_JSON(m)                                              \
    (256 + ROOMS_JSON_STR((m)->id.len) + ROOMS_JSON_STR((m)->sha256.len)      \
     + ROOMS_JSON_STR((m)->mime.len) + ROOMS_JSON_STR((m)->name.len)          \
     + ROOMS_JSON_STR((m)->owner.len))

/* Bytes of media come to those of the tenant, within its quota, or go. */
void ngx_rooms_media_count(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    int64_t bytes);

/*
 * Adds a medium to a commit: a guard that its id is new, the metadata, and a
 * reference to its content, which was kept before.
 */
void ngx_rooms_media_register(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_medium_t *m);

#endif /* NGX_ROOMS_MEDIA_H */
