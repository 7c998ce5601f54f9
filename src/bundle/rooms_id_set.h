/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Ids that were met while a stream went by, each once, in the order of their
 * first appearance, with a pointer of the caller's.  An id takes 24 bytes, its
 * own, and 8 to 16 of the table.
 *
 * Ids are other people's, so the hash is keyed; the table doubles by malloc()
 * and goes with rooms_id_set_cleanup(), the rest is the allocator's.
 */

#ifndef ROOMS_ID_SET_H
#define ROOMS_ID_SET_H

#include "rooms_str.h"


typedef struct rooms_id_s  rooms_id_t;

struct rooms_id_s {
    rooms_id_t      *next;            /* in order of appearance */
    void            *data;            /* of the caller; NULL at first */
    uint32_t         hash;
    uint32_t         len;
    unsigned char    id[];
};

/* Memory that lives as long as the set; NULL: none left. */
typedef void *(*rooms_id_alloc_pt)(void *ctx, size_t size);

typedef struct {
    rooms_id_t      *first;
    rooms_id_t     **last;
    size_t           n;
    rooms_id_t     **table;
    size_t           size;            /* a power of two, or 0 */
    rooms_id_alloc_pt  alloc;
    void            *ctx;
    unsigned char    key[16];
} rooms_id_set_t;


/* `key`: 16 random bytes. */
void rooms_id_set_init(rooms_id_set_t *set, const unsigned char *key,
    rooms_id_alloc_pt alloc, void *ctx);
void rooms_id_set_cleanup(rooms_id_set_t *set);

rooms_id_t *rooms_id_set_find(rooms_id_set_t *set, rooms_str_t id);

/* The one that is there, or a new one, copied; NULL: no memory. */
rooms_id_t *rooms_id_set_add(rooms_id_set_t *set, rooms_str_t id);

static inline rooms_str_t
rooms_id_str(const rooms_id_t *id)
{
    return (rooms_str_t) { id->len, id->id };
}

#endif /* ROOMS_ID_SET_H */
