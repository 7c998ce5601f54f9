/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_media.h"
#include "rooms_json.h"
#include "rooms_media.h"
#include "rooms_zip_name.h"
#include <jansson.h>


ngx_int_t
ngx_rooms_media_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    const rooms_str_t *ids, ngx_uint_t n)
{
    return ngx_rooms_ask_many(b, keys, "HMGET", NGX_ROOMS_KEY_MEDIA,
                              ROOMS_NULL, ids, n);
}


static rooms_str_t
ngx_rooms_media_str(ngx_pool_t *pool, json_t *object, const char *key)
{
    json_t  *value;

    value = json_object_get(object, key);

    if (!json_is_string(value)) {
        return ROOMS_NULL;
    }

    return ngx_rooms_dup(pool, (rooms_str_t) { json_string_length(value),
                                   (u_char *) json_string_value(value) });
}


static uint32_t
ngx_rooms_media_side(json_t *object, const char *key)
{
    json_int_t  n;

    n = json_integer_value(json_object_get(object, key));

    return n > 0 && n <= INT32_MAX ? n : 0;
}


/* Checks again what becomes part of a path or of a header. */
static ngx_int_t
ngx_rooms_media_check(const ngx_rooms_medium_t *m, json_t *size, json_t *crc)
{
    u_char  mime[ROOMS_MEDIA_MIME_MAX];

    return rooms_sha256_hex_valid(m->sha256)
           && rooms_media_name_valid(m->name)
           && m->mime.data
           && rooms_media_mime(m->mime, mime) == m->mime.len
           && rooms_participant_valid(m->owner)
           && json_is_integer(size) && json_integer_value(size) >= 0
           && json_is_integer(crc) && json_integer_value(crc) >= 0
           && json_integer_value(crc) <= UINT32_MAX
           && m->created_at >= 0
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_media_parse(ngx_pool_t *pool, rooms_str_t json, rooms_str_t id,
    ngx_rooms_medium_t *m)
{
    json_t     *object, *size, *crc;
    ngx_int_t   rc;

    ngx_memzero(m, sizeof(ngx_rooms_medium_t));

    if (json.data == NULL) {
        return NGX_DECLINED;
    }

    object = json_loadb((const char *) json.data, json.len, 0, NULL);

    if (!json_is_object(object)) {
        json_decref(object);
        return NGX_ERROR;
    }

    m->id = id;
    m->sha256 = ngx_rooms_media_str(pool, object, "sha256");
    m->mime = ngx_rooms_media_str(pool, object, "mime_type");
    m->name = ngx_rooms_media_str(pool, object, "name");
    m->owner = ngx_rooms_media_str(pool, object, "owner_id");
    m->created_at = rooms_time_parse(ngx_rooms_media_str(pool, object,
                                                         "created_at"));

    size = json_object_get(object, "size");
    crc = json_object_get(object, "crc32");

    /* missing if it isn't a picture, or is older than this field */

    m->width = ngx_rooms_media_side(object, "width");
    m->height = ngx_rooms_media_side(object, "height");

    m->size = json_integer_value(size);
    m->crc32 = json_integer_value(crc);

    rc = ngx_rooms_media_check(m, size, crc);

    json_decref(object);

    return rc;
}


void
ngx_rooms_media_put(rooms_buf_t *b, const ngx_rooms_medium_t *m)
{
    rooms_json_put(b, "{\"media_id\":%s,\"sha256\":%s,\"size\":%d,"
                   "\"crc32\":%d", m->id, m->sha256, (int64_t) m->size,
                   (int64_t) m->crc32);
    if (m->width && m->height) {
        rooms_json_put(b, ",\"width\":%d,\"height\":%d", (int64_t) m->width,
                       (int64_t) m->height);
    }

    rooms_json_put(b, ",\"mime_type\":%s,\"name\":%s,\"owner_id\":%s,"
                   "\"created_at\":%t}", m->mime, m->name, m->owner,
                   (int64_t) m->created_at);
}


void
ngx_rooms_media_extent(rooms_buf_t *b, const ngx_rooms_medium_t *m)
{
    if (m->width && m->height) {
        rooms_json_put(b, ",\"width\":%d,\"height\":%d", (int64_t) m->width,
                       (int64_t) m->height);

    } else {
        rooms_json_lit(b, ",\"width\":null,\"height\":null");
    }

    rooms_json_lit(b, ",\"thumbnail_id\":null,\"scan_status\":\"clean\"");
}


static rooms_str_t
ngx_rooms_media_format(ngx_pool_t *pool, const ngx_rooms_medium_t *m)
{
    rooms_buf_t      *b;
    ngx_rooms_json_t  text;

    b = ngx_rooms_json(&text, pool);

    ngx_rooms_media_put(b, m);

    return ngx_rooms_json_end(&text);
}


void
ngx_rooms_media_count(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    int64_t bytes)
{
    ngx_rooms_commit_adds(c, NGX_ROOMS_QUOTA_MEDIA, bytes);
    ngx_rooms_commit_write(c, "HINCRBY",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_TENANT,
                                         ROOMS_NULL),
                           ngx_rooms_s("media_bytes"),
                           ngx_rooms_number(c->pool, bytes));
}


void
ngx_rooms_media_register(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_medium_t *m)
{
    rooms_str_t  media;

    media = ngx_rooms_key(keys, NGX_ROOMS_KEY_MEDIA, ROOMS_NULL);

    ngx_rooms_commit_guard_field(c, media, m->id, ROOMS_NULL);
    ngx_rooms_commit_write(c, "HSET", media, m->id,
                           ngx_rooms_media_format(c->pool, m));
    ngx_rooms_commit_write(c, "HINCRBY",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_BLOBS,
                                         ROOMS_NULL),
                           m->sha256, ngx_rooms_s("1"));
    ngx_rooms_media_count(c, keys, m->size);
}
