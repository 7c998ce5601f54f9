/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Rooms and members that this worker has read lately: a table of a fixed size,
 * in sets of four places.  A new entry takes the place that was used least
 * recently.
 */

#include "ngx_rooms_recent.h"


#define NGX_ROOMS_RECENT_SETS    1024
#define NGX_ROOMS_RECENT_PLACES  4
#define NGX_ROOMS_RECENT_MS      60000      /* an entry is used so long */
#define NGX_ROOMS_RECENT_TEXT    152        /* bytes of an entry's name */

typedef struct {
    ngx_rooms_store_t   *store;        /* NULL: the place is free */
    int64_t              joined_at;
    int64_t              position;     /* of the join */
    int64_t              number;       /* of messages then */
    ngx_msec_t           read;
    ngx_msec_t           used;
    uint32_t             big;
    u_short              len;          /* of the name */
    u_char               power;
    u_char               type;
    u_char               incognito;
    u_char               name[NGX_ROOMS_RECENT_TEXT];   /* prefix, room,
                                                           participant */
} ngx_rooms_recent_t;


static ngx_rooms_recent_t  *ngx_rooms_recent;
static uint64_t             ngx_rooms_recent_seed;


/*
 * The set of places for this name, which is written into `name`.  NULL: it is
 * too long, or there is no memory.
 */
static ngx_rooms_recent_t *
ngx_rooms_recent_set(const ngx_rooms_keys_t *keys, rooms_str_t id,
    rooms_str_t who, u_char *name, size_t *len)
{
    u_char    *p;
    uint64_t   hash;

    *len = keys->prefix.len + id.len + 1 + who.len;

    if (*len > NGX_ROOMS_RECENT_TEXT) {
        return NULL;
    }

    if (ngx_rooms_recent == NULL) {
        ngx_rooms_recent = ngx_calloc(NGX_ROOMS_RECENT_SETS
                                      * NGX_ROOMS_RECENT_PLACES
                                      * sizeof(ngx_rooms_recent_t),
                                      ngx_cycle->log);
        if (ngx_rooms_recent == NULL) {
            return NULL;
        }

        ngx_rooms_recent_seed = ((uint64_t) ngx_random() << 32) ^ ngx_pid;
    }

    p = ngx_cpymem(name, keys->prefix.data, keys->prefix.len);
    p = ngx_cpymem(p, id.data, id.len);
    *p++ = ' ';
    ngx_memcpy(p, who.data, who.len);

    hash = rooms_hash(ngx_rooms_recent_seed, name, *len);

    return &ngx_rooms_recent[hash % NGX_ROOMS_RECENT_SETS
                             * NGX_ROOMS_RECENT_PLACES];
}


static ngx_rooms_recent_t *
ngx_rooms_recent_find(ngx_rooms_recent_t *set, ngx_rooms_store_t *store,
    const u_char *name, size_t len)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_ROOMS_RECENT_PLACES; i++) {

        if (set[i].store == store && set[i].len == len
            && ngx_memcmp(set[i].name, name, len) == 0)
        {
            return &set[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_rooms_recent_get(ngx_rooms_store_t *store, const ngx_rooms_keys_t *keys,
    rooms_str_t id, rooms_str_t who, rooms_room_t *room,
    rooms_member_t *member)
{
    size_t               len;
    u_char               name[NGX_ROOMS_RECENT_TEXT];
    ngx_rooms_recent_t  *e;

    e = ngx_rooms_recent_set(keys, id, who, name, &len);

    if (e == NULL || (e = ngx_rooms_recent_find(e, store, name, len)) == NULL
        || ngx_current_msec - e->read > NGX_ROOMS_RECENT_MS)
    {
        return NGX_DECLINED;
    }

    e->used = ngx_current_msec;

    ngx_memzero(room, sizeof(rooms_room_t));
    room->id = id;
    room->type = e->type;
    room->incognito = e->incognito;
    room->state = ROOMS_OPEN;
    room->position = 1;
    room->big = e->big;

    member->participant = who;
    member->membership = ROOMS_JOIN;
    member->power = e->power;
    member->joined_at = e->joined_at;
    member->position = e->position;
    member->number = e->number;

    return NGX_OK;
}


/* Whether all that a decision relies on is kept. */
static ngx_uint_t
ngx_rooms_recent_plain(const rooms_room_t *room, const rooms_member_t *member)
{
    return room->state == ROOMS_OPEN && room->position > 0 && !room->federated
           && !room->unaccepted && room->origin.data == NULL
           && room->peers.data == NULL && room->guests.data == NULL
           && member->membership == ROOMS_JOIN;
}


void
ngx_rooms_recent_put(ngx_rooms_store_t *store, const ngx_rooms_keys_t *keys,
    const rooms_room_t *room, const rooms_member_t *member)
{
    size_t               len;
    u_char               name[NGX_ROOMS_RECENT_TEXT];
    ngx_uint_t           i;
    ngx_rooms_recent_t  *set, *e;

    set = ngx_rooms_recent_set(keys, room->id, member->participant, name,
                               &len);
    if (set == NULL) {
        return;
    }

    e = ngx_rooms_recent_find(set, store, name, len);

    if (!ngx_rooms_recent_plain(room, member)) {

        if (e) {
            e->store = NULL;
        }

        return;
    }

    if (e == NULL) {
        e = set;

        for (i = 0; i < NGX_ROOMS_RECENT_PLACES && e->store; i++) {

            if (set[i].store == NULL
                || (ngx_msec_int_t) (set[i].used - e->used) < 0)
            {
                e = &set[i];
            }
        }

        e->store = store;
        e->len = len;
        ngx_memcpy(e->name, name, len);
    }

    e->read = ngx_current_msec;
    e->used = ngx_current_msec;
    e->type = room->type;
    e->incognito = room->incognito;
    e->big = room->big;
    e->power = member->power;
    e->joined_at = member->joined_at;
    e->position = member->position;
    e->number = member->number;
}


void
ngx_rooms_recent_exit_worker(void)
{
    ngx_free(ngx_rooms_recent);
    ngx_rooms_recent = NULL;
}
