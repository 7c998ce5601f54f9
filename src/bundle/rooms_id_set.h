/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A set of ids seen in a stream, in the order of their first appearance, each
 * with a pointer for the caller.  An id takes 24 bytes, its own bytes, and 8
 * to 16 bytes of the table.
 *
 * The ids come from others, so the hash has a secret key.  The table comes
 * from malloc() and is freed by rooms_id_set_cleanup(); all else comes from
 * the allocator.
 */

#ifndef ROOMS_ID_SET_H
#define ROOMS_ID_SET_H

#include "rooms_str.h"


typedef struct rooms_id_s  rooms_id_t;

struct rooms_id_s {
    rooms_id_t      *next;            /* in order of appearance */
    void            *data;            /* for the caller; NULL at first */
    uint32_t         hash;
    uint32_t         len;
    unsigned char    id[];
};

/* Returns memory that lives as long as the set; NULL: out of memory. */
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

/* Finds the id, or adds a copy; NULL: out of memory. */
rooms_id_t *rooms_id_set_add(rooms_id_set_t *set, rooms_str_t id);

static inline rooms_str_t
rooms_id_str(const rooms_id_t *id)
{
    return (rooms_str_t) { id->len, id->id };
}

#endif /* ROOMS_ID_SET_H */
