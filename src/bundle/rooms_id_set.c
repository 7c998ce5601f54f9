/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_id_set.h"

#include <sodium.h>
#include <stdlib.h>


#define ROOMS_ID_SET_MIN  64


static uint32_t rooms_id_hash(const rooms_id_set_t *set, rooms_str_t id);
static rooms_id_t **rooms_id_slot(const rooms_id_set_t *set, rooms_str_t id,
    uint32_t hash);
static int rooms_id_grow(rooms_id_set_t *set);


void
rooms_id_set_init(rooms_id_set_t *set, const unsigned char *key,
    rooms_id_alloc_pt alloc, void *ctx)
{
    memset(set, 0, sizeof(rooms_id_set_t));
    memcpy(set->key, key, sizeof(set->key));

    set->last = &set->first;
    set->alloc = alloc;
    set->ctx = ctx;
}


void
rooms_id_set_cleanup(rooms_id_set_t *set)
{
    free(set->table);

    set->table = NULL;
    set->size = 0;
}


rooms_id_t *
rooms_id_set_find(rooms_id_set_t *set, rooms_str_t id)
{
    return set->size ? *rooms_id_slot(set, id, rooms_id_hash(set, id)) : NULL;
}


rooms_id_t *
rooms_id_set_add(rooms_id_set_t *set, rooms_str_t id)
{
    uint32_t      hash;
    rooms_id_t   *entry, **slot;

    /* a quarter of the table stays free, so that searches are short */

    if (set->n + 1 > set->size / 4 * 3 && rooms_id_grow(set) != 0) {
        return NULL;
    }

    hash = rooms_id_hash(set, id);
    slot = rooms_id_slot(set, id, hash);

    if (*slot) {
        return *slot;
    }

    if (id.len > UINT32_MAX) {
        return NULL;
    }

    entry = set->alloc(set->ctx, sizeof(rooms_id_t) + id.len);

    if (entry == NULL) {
        return NULL;
    }

    entry->next = NULL;
    entry->data = NULL;
    entry->hash = hash;
    entry->len = (uint32_t) id.len;

    if (id.len) {
        memcpy(entry->id, id.data, id.len);
    }

    *slot = entry;
    *set->last = entry;
    set->last = &entry->next;
    set->n++;

    return entry;
}


static uint32_t
rooms_id_hash(const rooms_id_set_t *set, rooms_str_t id)
{
    uint64_t  hash;

    (void) crypto_shorthash((unsigned char *) &hash, id.data, id.len,
                            set->key);

    return (uint32_t) hash;
}


/* The slot that has the id, or where it would go. */

static rooms_id_t **
rooms_id_slot(const rooms_id_set_t *set, rooms_str_t id, uint32_t hash)
{
    size_t        i;
    rooms_id_t  **slot;

    for (i = hash; /* void */ ; i++) {
        slot = &set->table[i & (set->size - 1)];

        if (*slot == NULL
            || ((*slot)->hash == hash && (*slot)->len == id.len
                && (id.len == 0 || memcmp((*slot)->id, id.data, id.len) == 0)))
        {
            return slot;
        }
    }
}


static int
rooms_id_grow(rooms_id_set_t *set)
{
    size_t        i, size;
    rooms_id_t   *entry, **table;

    size = set->size ? set->size * 2 : ROOMS_ID_SET_MIN;

    table = calloc(size, sizeof(rooms_id_t *));

    if (table == NULL) {
        return -1;
    }

    for (entry = set->first; entry; entry = entry->next) {

        for (i = entry->hash; table[i & (size - 1)]; i++) { /* void */ }

        table[i & (size - 1)] = entry;
    }

    free(set->table);

    set->table = table;
    set->size = size;

    return 0;
}
