/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Why a kept list is never stale: each commit that changes the list of a
 * participant's rooms writes its position beside it, as `list` in the
 * participant's news.  A position is assigned once, also by a store that has
 * lost its last writes.  So two equal positions are of the same commit, and
 * the list is the one that it left.  The position is read with each look, so
 * it doesn't matter which store answers, and what it has been through.
 *
 * A list is kept with the position that was read after it, if this isn't above
 * the tenant's counter that was read before it: then no commit has changed the
 * list in between.  A list without a position isn't kept.  Other programs may
 * write rooms into lists, so the number of rooms must be the same, too.
 *
 * A kept list also knows where the news of its rooms begin, as pages have
 * found it: its heads.  A page must ask only the rooms whose heads it reaches.
 * That no event is behind `base` and before a head stays true: a new event's
 * position is above the counter, and so above all that was read.  Only a
 * backfill writes events below.  It changes a field of the tenant, which each
 * look reads before it uses heads; if it has changed, they are forgotten.  Lost
 * writes only remove events, and what is written after the loss is above.
 *
 * At first a head is the time in the room's id.  The positions of a room made
 * here aren't below that.  Rooms for which it doesn't hold are in `early`:
 * replicas, if the other server's clock is ahead, with the positions that are
 * kept free for their history.  A reader that goes on from a position below
 * `base` begins again.
 *
 * A kept list keeps the interest of those who have waited with it, whose rooms
 * are the list's, and which doesn't change either.  When the list is dropped,
 * those who wait keep the interest until they look again.
 *
 * Kept lists take a bounded part of the worker's memory, with their interests,
 * and each tenant half of it at most.  The ones not used for the longest time
 * go first.
 */

#include "ngx_rooms_roomlist.h"


#define NGX_ROOMS_ROOMLIST_SIZE    (8 * 1024 * 1024)   /* of all lists */
#define NGX_ROOMS_ROOMLIST_TENANT  (NGX_ROOMS_ROOMLIST_SIZE / 2)
#define NGX_ROOMS_ROOMLIST_ONE     (NGX_ROOMS_ROOMLIST_SIZE / 8)


struct ngx_rooms_roomlist_tenant_s {
    ngx_str_node_t             sn;
    ngx_queue_t                lists;    /* the last used one first */
    size_t                     held;
};


static ngx_rbtree_t       ngx_rooms_roomlists;
static ngx_rbtree_node_t  ngx_rooms_roomlists_sentinel;
static ngx_rbtree_t       ngx_rooms_roomlist_tenants;
static ngx_rbtree_node_t  ngx_rooms_roomlist_tenants_sentinel;
static ngx_queue_t        ngx_rooms_roomlist_used;
static size_t             ngx_rooms_roomlist_held;


ngx_rooms_roomlist_t *
ngx_rooms_roomlist_read(ngx_pool_t *pool, redisReply *ids)
{
    ngx_uint_t             i;
    ngx_rooms_roomlist_t  *list;

    list = ngx_pcalloc(pool, sizeof(ngx_rooms_roomlist_t));
    if (list == NULL) {
        return NULL;
    }

    list->ids = ngx_palloc(pool, ids->elements * sizeof(rooms_str_t) + 1);
    if (list->ids == NULL) {
        return NULL;
    }

    list->n = ids->elements;

    for (i = 0; i < list->n; i++) {
        list->ids[i] = ngx_rooms_reply_str(ids->element[i]);
    }

    return list;
}


static ngx_int_t
ngx_rooms_roomlist_compare(rooms_str_t a, rooms_str_t b)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(a.data, b.data, ngx_min(a.len, b.len));

    return rc ? rc : (ngx_int_t) a.len - (ngx_int_t) b.len;
}


ngx_int_t
ngx_rooms_roomlist_find(const ngx_rooms_roomlist_t *list, rooms_str_t id)
{
    ngx_int_t   rc;
    ngx_uint_t  low, high, mid;

    low = 0;
    high = list->n;

    while (low < high) {
        mid = low + (high - low) / 2;
        rc = ngx_rooms_roomlist_compare(list->ids[mid], id);

        if (rc == 0) {
            return mid;
        }

        if (rc < 0) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return NGX_ERROR;
}


/*
 * The name of the caller's list, which begins with the tenant's.  Two stores
 * may have tenants with the same name.
 */
static ngx_str_t
ngx_rooms_roomlist_name(ngx_rooms_req_t *rq, ngx_pool_t *pool,
    ngx_str_t *tenant)
{
    ngx_str_t    name;
    rooms_str_t  text;

    text = ngx_rooms_join(pool, (rooms_str_t) { sizeof(rq->conf->store),
                                                (u_char *) &rq->conf->store },
                          rq->keys.prefix, rq->principal.sub);

    name = ngx_from_rooms(text);
    tenant->data = name.data;
    tenant->len = sizeof(rq->conf->store) + rq->keys.prefix.len;

    return name;
}


static void
ngx_rooms_roomlist_release(void *data)
{
    ngx_rooms_roomlist_t *list = data;

    if (--list->refs == 0) {
        ngx_free(list);
    }
}


/* The pool holds the list. */
static ngx_int_t
ngx_rooms_roomlist_hold(ngx_rooms_roomlist_t *list, ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_rooms_roomlist_release;
    cln->data = list;
    list->refs++;

    return NGX_OK;
}


/* The interest isn't kept any more. */
static void
ngx_rooms_roomlist_forget(ngx_rooms_roomlist_t *list)
{
    list->size -= list->linked;
    list->tenant->held -= list->linked;
    ngx_rooms_roomlist_held -= list->linked;

    ngx_rooms_interest_release(list->interest);
    list->interest = NULL;
}


void
ngx_rooms_roomlist_drop(ngx_rooms_roomlist_t *list)
{
    ngx_rooms_roomlist_tenant_t  *tenant;

    tenant = list->tenant;

    if (tenant == NULL) {
        return;
    }

    if (list->interest) {
        ngx_rooms_roomlist_forget(list);
    }

    list->tenant = NULL;
    ngx_rbtree_delete(&ngx_rooms_roomlists, &list->sn.node);
    ngx_queue_remove(&list->used);
    ngx_queue_remove(&list->own);
    tenant->held -= list->size;
    ngx_rooms_roomlist_held -= list->size;

    if (ngx_queue_empty(&tenant->lists)) {
        ngx_rooms_roomlist_held -= tenant->held;
        ngx_rbtree_delete(&ngx_rooms_roomlist_tenants, &tenant->sn.node);
        ngx_free(tenant);
    }

    ngx_rooms_roomlist_release(list);
}


static ngx_rooms_roomlist_t *
ngx_rooms_roomlist_lookup(ngx_str_t *name)
{
    return (ngx_rooms_roomlist_t *)
           ngx_str_rbtree_lookup(&ngx_rooms_roomlists, name,
                                 ngx_crc32_short(name->data, name->len));
}


ngx_rooms_roomlist_t *
ngx_rooms_roomlist_get(ngx_rooms_req_t *rq, ngx_pool_t *pool)
{
    ngx_str_t              name, tenant;
    ngx_rooms_roomlist_t  *list;

    if (ngx_rooms_roomlist_held == 0) {
        return NULL;
    }

    name = ngx_rooms_roomlist_name(rq, pool, &tenant);
    if (name.data == NULL) {
        return NULL;
    }

    list = ngx_rooms_roomlist_lookup(&name);

    if (list == NULL || ngx_rooms_roomlist_hold(list, pool) != NGX_OK) {
        return NULL;
    }

    ngx_queue_remove(&list->used);
    ngx_queue_insert_head(&ngx_rooms_roomlist_used, &list->used);
    ngx_queue_remove(&list->own);
    ngx_queue_insert_head(&list->tenant->lists, &list->own);

    return list;
}


static ngx_rooms_roomlist_tenant_t *
ngx_rooms_roomlist_tenant(ngx_str_t *name)
{
    u_char                       *p;
    uint32_t                      hash;
    ngx_rooms_roomlist_tenant_t  *tenant;

    hash = ngx_crc32_short(name->data, name->len);

    tenant = (ngx_rooms_roomlist_tenant_t *)
             ngx_str_rbtree_lookup(&ngx_rooms_roomlist_tenants, name, hash);

    if (tenant) {
        return tenant;
    }

    tenant = ngx_calloc(sizeof(ngx_rooms_roomlist_tenant_t) + name->len,
                        ngx_cycle->log);
    if (tenant == NULL) {
        return NULL;
    }

    p = (u_char *) (tenant + 1);
    ngx_memcpy(p, name->data, name->len);

    tenant->sn.str.data = p;
    tenant->sn.str.len = name->len;
    tenant->sn.node.key = hash;
    tenant->held = sizeof(ngx_rooms_roomlist_tenant_t) + name->len;
    ngx_queue_init(&tenant->lists);

    ngx_rbtree_insert(&ngx_rooms_roomlist_tenants, &tenant->sn.node);
    ngx_rooms_roomlist_held += tenant->held;

    return tenant;
}


/* Drops others until neither the tenant nor the worker holds too much. */
static void
ngx_rooms_roomlist_shrink(ngx_rooms_roomlist_tenant_t *tenant)
{
    ngx_queue_t  *q;

    while (tenant->held > NGX_ROOMS_ROOMLIST_TENANT) {
        q = ngx_queue_last(&tenant->lists);
        ngx_rooms_roomlist_drop(ngx_queue_data(q, ngx_rooms_roomlist_t, own));
    }

    while (ngx_rooms_roomlist_held > NGX_ROOMS_ROOMLIST_SIZE) {
        q = ngx_queue_last(&ngx_rooms_roomlist_used);
        ngx_rooms_roomlist_drop(ngx_queue_data(q, ngx_rooms_roomlist_t,
                                               used));
    }
}


ngx_rooms_interest_t *
ngx_rooms_roomlist_interest(ngx_rooms_roomlist_t *list)
{
    if (list->interest && list->interest->channel == NULL) {
        ngx_rooms_roomlist_forget(list);
    }

    return list->interest;
}


void
ngx_rooms_roomlist_keep(ngx_rooms_roomlist_t *list, ngx_rooms_interest_t *in)
{
    size_t  size;

    if (list->tenant == NULL || list->interest) {
        return;
    }

    size = ngx_rooms_interest_size(in);

    if (list->size + size > NGX_ROOMS_ROOMLIST_ONE) {
        return;
    }

    in->refs++;
    list->interest = in;
    list->linked = size;
    list->size += size;
    list->tenant->held += size;
    ngx_rooms_roomlist_held += size;

    ngx_rooms_roomlist_shrink(list->tenant);
}


/* What is known of any list: that rooms begin with the time of their id. */
static void
ngx_rooms_roomlist_reset(ngx_rooms_roomlist_t *list)
{
    ngx_uint_t  i;

    for (i = 0; i < list->n; i++) {
        list->heads[i].at = rooms_id_position(list->ids[i]);
        list->heads[i].exact = 0;
    }

    list->base = 0;
    list->next = 0;
}


static ngx_uint_t
ngx_rooms_roomlist_same(const ngx_rooms_roomlist_t *list, rooms_str_t past)
{
    return past.len == NGX_ROOMS_PAST
           ? ngx_memcmp(list->past, past.data, NGX_ROOMS_PAST) == 0
           : list->past[0] == '\0';
}


void
ngx_rooms_roomlist_begin(ngx_rooms_roomlist_t *list, int64_t from,
    rooms_str_t past)
{
    if (from >= list->base && ngx_rooms_roomlist_same(list, past)) {
        return;
    }

    ngx_rooms_roomlist_reset(list);
    ngx_memzero(list->past, NGX_ROOMS_PAST);

    if (past.len == NGX_ROOMS_PAST) {
        ngx_memcpy(list->past, past.data, NGX_ROOMS_PAST);
    }
}


void
ngx_rooms_roomlist_learn(ngx_rooms_roomlist_t *list, ngx_uint_t room,
    int64_t from, int64_t at, ngx_uint_t exact, rooms_str_t past)
{
    if (!ngx_rooms_roomlist_same(list, past)) {
        return;
    }

    list->base = ngx_max(list->base, from);
    list->heads[room].at = at;
    list->heads[room].exact = exact;
}


/*
 * A copy in one block of memory: the list, the ids, the heads, the bytes of
 * the ids, the name.
 */
static ngx_rooms_roomlist_t *
ngx_rooms_roomlist_copy(const ngx_rooms_roomlist_t *list, ngx_str_t *name)
{
    size_t                 size;
    u_char                *p;
    ngx_uint_t             i;
    ngx_rooms_roomlist_t  *copy;

    size = sizeof(ngx_rooms_roomlist_t)
           + list->n * (sizeof(rooms_str_t)
                        + sizeof(ngx_rooms_roomlist_head_t))
           + name->len;

    for (i = 0; i < list->n; i++) {
        size += list->ids[i].len;
    }

    if (size > NGX_ROOMS_ROOMLIST_ONE) {
        return NULL;
    }

    copy = ngx_alloc(size, ngx_cycle->log);
    if (copy == NULL) {
        return NULL;
    }

    ngx_memzero(copy, sizeof(ngx_rooms_roomlist_t));
    copy->size = size;
    copy->n = list->n;
    copy->ids = (rooms_str_t *) (copy + 1);
    copy->heads = (ngx_rooms_roomlist_head_t *) (copy->ids + copy->n);
    p = (u_char *) (copy->heads + copy->n);

    for (i = 0; i < list->n; i++) {
        copy->ids[i] = (rooms_str_t) { list->ids[i].len, p };
        p = ngx_cpymem(p, list->ids[i].data, list->ids[i].len);
    }

    ngx_rooms_roomlist_reset(copy);

    copy->sn.str.data = p;
    copy->sn.str.len = name->len;
    copy->sn.node.key = ngx_crc32_short(name->data, name->len);
    ngx_memcpy(p, name->data, name->len);

    return copy;
}


ngx_rooms_roomlist_t *
ngx_rooms_roomlist_put(ngx_rooms_req_t *rq, ngx_pool_t *pool,
    ngx_rooms_roomlist_t *list, int64_t version)
{
    ngx_str_t                     name, owner;
    ngx_rooms_roomlist_t         *copy, *old;
    ngx_rooms_roomlist_tenant_t  *tenant;

    if (ngx_exiting) {
        return list;
    }

    if (ngx_rooms_roomlists.root == NULL) {
        ngx_rbtree_init(&ngx_rooms_roomlists, &ngx_rooms_roomlists_sentinel,
                        ngx_str_rbtree_insert_value);
        ngx_rbtree_init(&ngx_rooms_roomlist_tenants,
                        &ngx_rooms_roomlist_tenants_sentinel,
                        ngx_str_rbtree_insert_value);
        ngx_queue_init(&ngx_rooms_roomlist_used);
    }

    name = ngx_rooms_roomlist_name(rq, pool, &owner);
    copy = name.data ? ngx_rooms_roomlist_copy(list, &name) : NULL;

    if (copy == NULL) {
        return list;
    }

    if (ngx_rooms_roomlist_hold(copy, pool) != NGX_OK) {
        ngx_free(copy);
        return list;
    }

    /* another request may have kept one meanwhile */

    old = ngx_rooms_roomlist_lookup(&name);

    if (old) {
        ngx_rooms_roomlist_drop(old);
    }

    tenant = ngx_rooms_roomlist_tenant(&owner);
    if (tenant == NULL) {
        return copy;
    }

    copy->refs++;
    copy->version = version;
    copy->tenant = tenant;
    tenant->held += copy->size;
    ngx_rooms_roomlist_held += copy->size;
    ngx_rbtree_insert(&ngx_rooms_roomlists, &copy->sn.node);
    ngx_queue_insert_head(&ngx_rooms_roomlist_used, &copy->used);
    ngx_queue_insert_head(&tenant->lists, &copy->own);

    ngx_rooms_roomlist_shrink(tenant);

    return copy;
}


void
ngx_rooms_roomlist_exit_worker(void)
{
    ngx_queue_t  *q;

    while (ngx_rooms_roomlist_held) {
        q = ngx_queue_last(&ngx_rooms_roomlist_used);
        ngx_rooms_roomlist_drop(ngx_queue_data(q, ngx_rooms_roomlist_t,
                                               used));
    }
}
