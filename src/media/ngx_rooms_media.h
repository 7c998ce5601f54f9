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
 * Media in the store: `media` has their metadata by id, and `blobs` counts
 * the ids that refer to each content.  The contents are files
 * (ngx_rooms_blob.h).
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


/* Appends one command.  Its reply has an element for each id, in order. */
ngx_int_t ngx_rooms_media_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    const rooms_str_t *ids, ngx_uint_t n);

/*
 * Parses an element of that reply; copies strings into the pool.
 * NGX_DECLINED: the tenant has no such medium; NGX_ERROR: the stored value is
 * invalid.
 */
ngx_int_t ngx_rooms_media_parse(ngx_pool_t *pool, rooms_str_t json,
    rooms_str_t id, ngx_rooms_medium_t *m);

/*
 * Appends what clients see: a comma, width and height, and that there is no
 * thumbnail and no scanner.
 */
void ngx_rooms_media_extent(rooms_buf_t *b, const ngx_rooms_medium_t *m);

/* Appends the stored JSON, at most NGX_ROOMS_MEDIUM_JSON(m) bytes. */
void ngx_rooms_media_put(rooms_buf_t *b, const ngx_rooms_medium_t *m);

#define NGX_ROOMS_MEDIUM_JSON(m)                                              \
    (256 + ROOMS_JSON_STR((m)->id.len) + ROOMS_JSON_STR((m)->sha256.len)      \
     + ROOMS_JSON_STR((m)->mime.len) + ROOMS_JSON_STR((m)->name.len)          \
     + ROOMS_JSON_STR((m)->owner.len))

/* Adds to the tenant's bytes of media, within its quota; negative: removes. */
void ngx_rooms_media_count(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    int64_t bytes);

/*
 * Adds a new medium to a commit: a guard that its id is new, its metadata,
 * and a reference to its content, which must have been kept before.
 */
void ngx_rooms_media_register(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_medium_t *m);

#endif /* NGX_ROOMS_MEDIA_H */
