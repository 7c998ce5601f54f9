/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Open addressing with linear probing.  The hash is SipHash with a random
 * key.  So nobody can choose two ids with equal hashes of 64 bits, and by
 * chance a million ids have such a pair once in 10^7 imports.
 */

#include "rooms_import.h"

#include <sodium.h>
#include <stdlib.h>


#define ROOMS_IMPORT_MAP_MIN  256


uint64_t
rooms_import_map_hash(const rooms_import_map_t *map, rooms_str_t id)
{
    uint64_t  hash;

    crypto_shorthash((unsigned char *) &hash, id.data, id.len, map->key);

    return hash ? hash : 1;
}


void
rooms_import_map_init(rooms_import_map_t *map)
{
    memset(map, 0, sizeof(rooms_import_map_t));
    randombytes_buf(map->key, sizeof(map->key));
}


void
rooms_import_map_free(rooms_import_map_t *map)
{
    free(map->hashes);
    free(map->values);

    map->hashes = NULL;
    map->values = NULL;
    map->size = 0;
}


static size_t
rooms_import_map_find(const rooms_import_map_t *map, uint64_t hash)
{
    size_t  i;

    for (i = hash & (map->size - 1);
         map->hashes[i] && map->hashes[i] != hash;
         i = (i + 1) & (map->size - 1))
    {
        /* void */
    }

    return i;
}


static int
rooms_import_map_grow(rooms_import_map_t *map)
{
    size_t              i, at;
    rooms_import_map_t  new;

    new = *map;
    new.size = map->size ? map->size * 2 : ROOMS_IMPORT_MAP_MIN;
    new.hashes = calloc(new.size, sizeof(uint64_t));
    new.values = malloc(new.size * sizeof(uint32_t));

    if (new.hashes == NULL || new.values == NULL) {
        free(new.hashes);
        free(new.values);
        return -1;
    }

    for (i = 0; i < map->size; i++) {

        if (map->hashes[i]) {
            at = rooms_import_map_find(&new, map->hashes[i]);
            new.hashes[at] = map->hashes[i];
            new.values[at] = map->values[i];
        }
    }

    rooms_import_map_free(map);
    *map = new;

    return 0;
}


int
rooms_import_map_add(rooms_import_map_t *map, rooms_str_t id, uint32_t value)
{
    size_t    at;
    uint64_t  hash;

    if (map->count >= map->size - map->size / 4
        && rooms_import_map_grow(map) != 0)
    {
        return -1;
    }

    hash = rooms_import_map_hash(map, id);
    at = rooms_import_map_find(map, hash);

    if (map->hashes[at]) {
        return 1;
    }

    map->hashes[at] = hash;
    map->values[at] = value;
    map->count++;

    return 0;
}


int64_t
rooms_import_map_get(const rooms_import_map_t *map, rooms_str_t id)
{
    return rooms_import_map_get_hash(map, rooms_import_map_hash(map, id));
}


int64_t
rooms_import_map_get_hash(const rooms_import_map_t *map, uint64_t hash)
{
    size_t  at;

    if (map->count == 0) {
        return -1;
    }

    at = rooms_import_map_find(map, hash);

    return map->hashes[at] ? (int64_t) map->values[at] : -1;
}


int64_t
rooms_import_text_add(rooms_import_t *im, rooms_import_text_t *text,
    rooms_str_t s)
{
    size_t    at, size, need;
    u_char   *data;
    uint32_t  len;

    need = sizeof(len) + s.len;

    if (need > ROOMS_IMPORT_TEXT_MAX - text->len) {
        im->failed = "names of participants or media, or emojis, are "
                     "more than 16 MiB";
        return -1;
    }

    if (need > text->size - text->len) {

        for (size = text->size ? text->size : 4096; size < text->len + need;
             size *= 2)
        {
            /* void */
        }

        data = realloc(text->data, size);

        if (data == NULL) {
            im->failed = "no memory";
            return -1;
        }

        text->data = data;
        text->size = size;
    }

    at = text->len;
    len = (uint32_t) s.len;

    memcpy(text->data + at, &len, sizeof(len));

    if (s.len) {
        memcpy(text->data + at + sizeof(len), s.data, s.len);
    }

    text->len += need;

    return at;
}


rooms_str_t
rooms_import_text_get(const rooms_import_text_t *text, uint32_t at)
{
    uint32_t  len;

    memcpy(&len, text->data + at, sizeof(len));

    return (rooms_str_t) { len, text->data + at + sizeof(len) };
}
