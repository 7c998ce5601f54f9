/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The walk: ends the memberships of deactivated participants, and erases
 * participants.
 *
 *   tenants -> lease -> due? -> who ----+--> rooms ----------> errands -+
 *      ^                  ^             |                               |
 *      |  nobody is       |             +--> news -> room -> page ------+
 *      +------------------+             |                               |
 *                         |             +--> answers, media, names      |
 *                         |                          |                  |
 *                         +------ commit <-----------+------------------+
 *
 * A step begins with the state in the store and ends with a commit that is
 * fenced by the lease and by the deactivation.  So it may stop anywhere, and
 * another worker may resume it: rooms that were left are gone from the index,
 * redacted messages are skipped, and the cursors only save reading.
 *
 * The phases of an erasure are in ngx_rooms_erase.c.
 */

#include "ngx_rooms_offboard_walk.h"
#include "ngx_rooms_hold.h"


#define NGX_ROOMS_OFFWALK_IDLE    1000     /* to 2000 ms */
#define NGX_ROOMS_OFFWALK_STEPS    500     /* per turn, then other tenants
                                              get theirs */
#define NGX_ROOMS_OFFWALK_TENANTS  100


static void ngx_rooms_offwalk_timer(ngx_event_t *ev);
static void ngx_rooms_offwalk_answered(ngx_rooms_round_t *round,
    ngx_rooms_batch_t *b);
static ngx_int_t ngx_rooms_offwalk_advance(ngx_rooms_offwalk_t *w,
    ngx_rooms_batch_t *b);
static void ngx_rooms_offwalk_errand(ngx_rooms_errand_t *errand);
static ngx_int_t ngx_rooms_offwalk_paged(ngx_rooms_offwalk_t *w);


size_t
ngx_rooms_offboard_size(void)
{
    return sizeof(ngx_rooms_offwalk_t);
}


ngx_int_t
ngx_rooms_offboard_add(ngx_conf_t *cf, ngx_array_t *walks,
    ngx_rooms_loc_conf_t *conf)
{
    ngx_uint_t                  i, k;
    ngx_rooms_offwalk_t        *w;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_rooms_offwalk_place_t  *p;

    w = walks->elts;

    for (i = 0; i < walks->nelts; i++) {
        if (w[i].store == conf->store
            && rooms_str_eq(rooms_from_ngx(w[i].prefix),
                            rooms_from_ngx(conf->key_prefix)))
        {
            break;
        }
    }

    if (i == walks->nelts) {
        w = ngx_array_push(walks);
        if (w == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(w, sizeof(ngx_rooms_offwalk_t));
        w->store = conf->store;
        w->prefix = conf->key_prefix;

        if (ngx_array_init(&w->places, cf->pool, 2,
                           sizeof(ngx_rooms_offwalk_place_t)) != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else {
        w = &w[i];
    }

    p = w->places.elts;

    for (k = 0; k < w->places.nelts; k++) {
        if (p[k].conf->federation == conf->federation
            && rooms_str_eq(rooms_from_ngx(p[k].conf->tenant),
                            rooms_from_ngx(conf->tenant)))
        {
            return NGX_OK;
        }
    }

    p = ngx_array_push(&w->places);
    if (p == NULL) {
        return NGX_ERROR;
    }

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    p->ctx = cscf->ctx;
    p->conf = conf;

    return NGX_OK;
}


void
ngx_rooms_offboard_init_worker(ngx_array_t *walks, ngx_cycle_t *cycle)
{
    ngx_uint_t            i;
    ngx_rooms_offwalk_t  *w;

    w = walks->elts;

    for (i = 0; i < walks->nelts; i++) {
        ngx_rooms_round_init(&w[i].round, w[i].store, cycle->log);
        w[i].round.handler = ngx_rooms_offwalk_answered;
        w[i].round.data = &w[i];

        ngx_rooms_lease_init(&w[i].lease, ngx_rooms_s("offboard"));

        ngx_rooms_timer_init(&w[i].timer, ngx_rooms_offwalk_timer,
                             &w[i], cycle->log);

        ngx_add_timer(&w[i].timer, 1 + ngx_random() % NGX_ROOMS_OFFWALK_IDLE);
    }
}


void
ngx_rooms_offboard_poke(ngx_rooms_loc_conf_t *conf)
{
    ngx_uint_t              i;
    ngx_rooms_offwalk_t    *w;
    ngx_rooms_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_rooms_module);

    if (rmcf == NULL || ngx_exiting) {
        return;
    }

    w = rmcf->offboards.elts;

    for (i = 0; i < rmcf->offboards.nelts; i++) {

        if (w[i].store != conf->store
            || !rooms_str_eq(rooms_from_ngx(w[i].prefix),
                             rooms_from_ngx(conf->key_prefix)))
        {
            continue;
        }

        w[i].again = 1;

        if (!w[i].busy) {

            if (w[i].timer.timer_set) {
                ngx_del_timer(&w[i].timer);
            }

            ngx_add_timer(&w[i].timer, 1);
        }
    }
}


static void
ngx_rooms_offwalk_clear(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_round_clear(&w->round);

    if (w->pool) {
        ngx_destroy_pool(w->pool);
        w->pool = NULL;
    }
}


void
ngx_rooms_offboard_exit_worker(ngx_array_t *walks)
{
    ngx_uint_t            i;
    ngx_rooms_offwalk_t  *w;

    w = walks->elts;

    for (i = 0; i < walks->nelts; i++) {

        if (w[i].pool) {
            ngx_rooms_offwalk_clear(&w[i]);
        }
    }
}


static void
ngx_rooms_offwalk_end(ngx_rooms_offwalk_t *w, ngx_msec_t pause)
{
    ngx_rooms_offwalk_clear(w);

    w->busy = 0;

    if (ngx_exiting) {
        return;
    }

    if (w->again || pause == 0) {
        pause = 1;
    }

    w->again = 0;

    ngx_add_timer(&w->timer, pause);
}


static ngx_msec_t
ngx_rooms_offwalk_idle(void)
{
    return NGX_ROOMS_OFFWALK_IDLE + ngx_random() % NGX_ROOMS_OFFWALK_IDLE;
}


ngx_int_t
ngx_rooms_offwalk_send(ngx_rooms_offwalk_t *w, ngx_rooms_offwalk_e state)
{
    w->state = state;

    return ngx_rooms_round_send(&w->round, w->keys.slot, NGX_ROOMS_LANE_BULK)
           == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


/*
 * A new pool and new keys for a step.  Without a tenant, the keys are those
 * of the hints.
 */
static ngx_int_t
ngx_rooms_offwalk_fresh(ngx_rooms_offwalk_t *w, rooms_str_t tenant)
{
    ngx_rooms_offwalk_clear(w);

    w->pool = ngx_create_pool(4096, w->timer.log);
    if (w->pool == NULL) {
        return NGX_ERROR;
    }

    w->nmedia = 0;
    w->next = 0;
    w->skipped = 0;

    if (ngx_array_init(&w->errands, w->pool, 16,
                       sizeof(ngx_rooms_offwalk_errand_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return tenant.data
           ? ngx_rooms_keys_init(&w->keys, w->pool, &w->prefix, tenant)
           : ngx_rooms_offboard_keys(&w->keys, w->pool, &w->prefix);
}


static void
ngx_rooms_offwalk_timer(ngx_event_t *ev)
{
    ngx_rooms_offwalk_t  *w;
    ngx_rooms_batch_t    *b;

    w = ev->data;

    if (ngx_exiting) {
        return;
    }

    w->busy = 1;
    w->again = 0;
    w->steps = 0;

    b = ngx_rooms_offwalk_fresh(w, ROOMS_NULL) == NGX_OK
        ? ngx_rooms_round_batch(&w->round) : NULL;

    if (b) {
        (void) ngx_rooms_ask(b, &w->keys, "ZRANGE %k 0 %d",
                             NGX_ROOMS_KEY_TENANTS, ROOMS_NULL,
                             (int64_t) (NGX_ROOMS_OFFWALK_TENANTS - 1));
    }

    if (b == NULL
        || ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_TENANT) != NGX_AGAIN)
    {
        ngx_rooms_offwalk_end(w, ngx_rooms_offwalk_idle());
    }
}


/* A NULL batch: the store failed, or the worker exits. */
static void
ngx_rooms_offwalk_answered(ngx_rooms_round_t *round, ngx_rooms_batch_t *b)
{
    ngx_int_t             rc;
    ngx_rooms_offwalk_t  *w;

    w = round->data;
    rc = b ? ngx_rooms_offwalk_advance(w, b) : NGX_ERROR;

    if (rc != NGX_AGAIN) {
        ngx_rooms_offwalk_end(w, rc == NGX_OK ? 0 : ngx_rooms_offwalk_idle());
    }
}


/* Prefers a server that federates for the tenant. */
static ngx_rooms_offwalk_place_t *
ngx_rooms_offwalk_find(ngx_rooms_offwalk_t *w, rooms_str_t tenant)
{
    ngx_uint_t                  i;
    rooms_str_t                 pinned;
    ngx_rooms_offwalk_place_t  *p, *found;

    found = NULL;
    p = w->places.elts;

    for (i = 0; i < w->places.nelts; i++) {
        pinned = rooms_from_ngx(p[i].conf->tenant);

        if (pinned.len && !rooms_str_eq(pinned, tenant)) {
            continue;
        }

        if (found == NULL || p[i].conf->federation
            || (pinned.len && !found->conf->federation))
        {
            found = &p[i];
        }
    }

    return found;
}


/* Picks a random hint, so that every tenant gets its turn. */
static ngx_int_t
ngx_rooms_offwalk_tenant(ngx_rooms_offwalk_t *w, redisReply *hints)
{
    u_char                     *p;
    ngx_uint_t                  i, first;
    rooms_str_t                 hint, tenant;
    ngx_rooms_offwalk_place_t  *place;

    if (hints->elements == 0) {
        return NGX_DONE;
    }

    first = ngx_random() % hints->elements;

    for (i = 0; i < hints->elements; i++) {
        hint = ngx_rooms_reply_str(hints->element[(first + i)
                                                  % hints->elements]);

        p = hint.len ? ngx_strlchr((u_char *) hint.data,
                                   (u_char *) hint.data + hint.len, ' ')
                     : NULL;

        if (p == NULL || hint.len > sizeof(w->hint)) {
            continue;
        }

        tenant = (rooms_str_t) { p - hint.data, hint.data };
        place = rooms_tenant_valid(tenant) ? ngx_rooms_offwalk_find(w, tenant)
                                           : NULL;
        if (place == NULL) {
            continue;
        }

        if (!rooms_str_eq(tenant, w->tenant)) {
            /* the lease for the previous tenant expires by itself */
            ngx_rooms_lease_init(&w->lease, ngx_rooms_s("offboard"));
            w->id.len = 0;
        }

        ngx_memcpy(w->hint, hint.data, hint.len);
        w->announced = (rooms_str_t) { hint.len, w->hint };
        w->tenant = (rooms_str_t) { p - hint.data, w->hint };
        w->place = place;

        return ngx_rooms_offwalk_step(w);
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_rooms_offwalk_lease(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&w->round);

    if (b == NULL || ngx_rooms_lease_ask(&w->lease, b, &w->keys) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_LEASE);
}


static ngx_int_t
ngx_rooms_offwalk_due(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&w->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &w->keys, "ZRANGEBYSCORE %k -inf %d LIMIT 0 1",
                         NGX_ROOMS_KEY_OFFBOARD, ROOMS_NULL, ngx_rooms_now());
    (void) ngx_rooms_ask(b, &w->keys, "ZCARD %k", NGX_ROOMS_KEY_OFFBOARD,
                         ROOMS_NULL);

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_DUE);
}


ngx_int_t
ngx_rooms_offwalk_step(ngx_rooms_offwalk_t *w)
{
    if (++w->steps > NGX_ROOMS_OFFWALK_STEPS || ngx_exiting) {
        return NGX_OK;
    }

    if (ngx_rooms_offwalk_fresh(w, w->tenant) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_lease_due(&w->lease) ? ngx_rooms_offwalk_lease(w)
                                          : ngx_rooms_offwalk_due(w);
}


/* Drops the hint if the tenant's list is empty and the hint is old enough. */
static ngx_int_t
ngx_rooms_offwalk_nobody(ngx_rooms_offwalk_t *w, int64_t listed)
{
    int64_t             minute;
    rooms_str_t         hint;
    ngx_rooms_batch_t  *b;

    hint.data = w->announced.data + w->tenant.len + 1;
    hint.len = w->announced.len - w->tenant.len - 1;
    minute = ngx_atoof((u_char *) hint.data, hint.len);

    if (listed || minute + NGX_ROOMS_OFFBOARD_MINUTES
                  > ngx_rooms_now() / 60000)
    {
        return NGX_DONE;
    }

    if (ngx_rooms_offwalk_fresh(w, ROOMS_NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_rooms_round_batch(&w->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &w->keys, "ZREM %k %s", NGX_ROOMS_KEY_TENANTS,
                         ROOMS_NULL, w->announced);

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_DROP);
}


static ngx_int_t
ngx_rooms_offwalk_who(ngx_rooms_offwalk_t *w, ngx_rooms_batch_t *due)
{
    rooms_str_t         id;
    ngx_rooms_batch_t  *b;

    id = ngx_rooms_reply_str_at(due->replies[0], 0);

    if (!rooms_participant_valid(id)) {
        return ngx_rooms_offwalk_nobody(w, ngx_rooms_reply_int(
                                               due->replies[1], 0));
    }

    if (!rooms_str_eq(id, w->id)) {
        ngx_memcpy(w->who, id.data, id.len);
        w->id = (rooms_str_t) { id.len, w->who };
        w->after_len = 0;
        w->cursor_len = 0;
    }

    b = ngx_rooms_round_batch(&w->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &w->keys, "HGETALL %k",
                         NGX_ROOMS_KEY_USER_OFFBOARD, w->id);
    (void) ngx_rooms_ask(b, &w->keys, "HGET %k %s", NGX_ROOMS_KEY_DEACTIVATED,
                         ROOMS_NULL, w->id);
    (void) ngx_rooms_ask(b, &w->keys, "HGET %k %s", NGX_ROOMS_KEY_PARTICIPANTS,
                         ROOMS_NULL, w->id);
    (void) ngx_rooms_ask(b, &w->keys, "HGET %k %s", NGX_ROOMS_KEY_SCIM,
                         ROOMS_NULL, w->id);

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_WHO);
}


rooms_str_t
ngx_rooms_offwalk_field(ngx_rooms_offwalk_t *w, rooms_str_t name)
{
    ngx_uint_t  i;

    for (i = 0; i + 1 < w->off->elements; i += 2) {

        if (rooms_str_eq(ngx_rooms_reply_str(w->off->element[i]), name)) {
            return ngx_rooms_reply_str(w->off->element[i + 1]);
        }
    }

    return ROOMS_NULL;
}

int64_t
ngx_rooms_offwalk_number(ngx_rooms_offwalk_t *w, rooms_str_t name)
{
    rooms_str_t  s;

    s = ngx_rooms_offwalk_field(w, name);

    return s.data ? ngx_max(ngx_atoof((u_char *) s.data, s.len), 0) : 0;
}


ngx_int_t
ngx_rooms_offwalk_fence(ngx_rooms_offwalk_t *w)
{
    if (ngx_rooms_lease_fence(&w->lease, &w->commit, w->pool, &w->keys)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_field(&w->commit,
                                 ngx_rooms_key(&w->keys,
                                               NGX_ROOMS_KEY_DEACTIVATED,
                                               ROOMS_NULL), w->id, w->at);

    return NGX_OK;
}


rooms_str_t
ngx_rooms_offwalk_off(ngx_rooms_offwalk_t *w)
{
    return ngx_rooms_key(&w->keys, NGX_ROOMS_KEY_USER_OFFBOARD, w->id);
}


ngx_int_t
ngx_rooms_offwalk_commit(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    if (w->skipped) {
        ngx_rooms_commit_write(&w->commit, "HINCRBY",
                               ngx_rooms_offwalk_off(w),
                               ngx_rooms_s(NGX_ROOMS_OFF_SKIPPED),
                               ngx_rooms_number(w->pool, w->skipped));
        w->skipped = 0;
    }

    b = ngx_rooms_round_batch(&w->round);

    if (b == NULL || w->commit.failed
        || ngx_rooms_commit_build(&w->commit, b, &w->keys, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_COMMIT);
}


ngx_int_t
ngx_rooms_offwalk_set(ngx_rooms_offwalk_t *w, rooms_str_t name,
    rooms_str_t value)
{
    if (ngx_rooms_offwalk_fence(w) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_write(&w->commit, "HSET", ngx_rooms_offwalk_off(w), name,
                           value);

    return ngx_rooms_offwalk_commit(w);
}


/* Takes the participant off the list: nothing is left to do. */
static ngx_int_t
ngx_rooms_offwalk_finish(ngx_rooms_offwalk_t *w)
{
    if (ngx_rooms_offwalk_fence(w) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_field(&w->commit, ngx_rooms_offwalk_off(w),
                                 ngx_rooms_s(NGX_ROOMS_OFF_ERASE),
                                 ngx_rooms_offwalk_get(w,
                                                       NGX_ROOMS_OFF_ERASE));
    ngx_rooms_offboard_delist(&w->commit, &w->keys, w->id);

    return ngx_rooms_offwalk_commit(w);
}


static ngx_int_t
ngx_rooms_offwalk_leave(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_round_batch(&w->round);
    if (b == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_ask(b, &w->keys, "ZRANGEBYLEX %k %s%s + LIMIT 0 %d",
                         NGX_ROOMS_KEY_USER_ROOMS, w->id,
                         w->after_len ? ngx_rooms_s("(") : ngx_rooms_s("-"),
                         (rooms_str_t) { w->after_len, w->after },
                         (int64_t) NGX_ROOMS_OFFWALK_ROOMS);

    return ngx_rooms_offwalk_send(w, NGX_ROOMS_OFFWALK_LEAVE);
}


static ngx_int_t
ngx_rooms_offwalk_leaves(ngx_rooms_offwalk_t *w, redisReply *rooms)
{
    ngx_uint_t                   i;
    rooms_str_t                  room;
    ngx_rooms_offwalk_errand_t  *e;

    w->more = rooms->elements == NGX_ROOMS_OFFWALK_ROOMS;

    for (i = 0; i < rooms->elements; i++) {
        room = ngx_rooms_reply_str(rooms->element[i]);

        if (!rooms_id_valid(room, "room-")) {
            continue;
        }

        e = ngx_array_push(&w->errands);
        if (e == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(e, sizeof(ngx_rooms_offwalk_errand_t));
        e->kind = NGX_ROOMS_ERRAND_RETIRE;
        e->room = room;
    }

    return ngx_rooms_offwalk_errands(w);
}


/* A page is done: moves the cursor. */
static ngx_int_t
ngx_rooms_offwalk_paged(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_offwalk_errand_t  *e;

    if (w->state != NGX_ROOMS_OFFWALK_LEAVE) {
        return ngx_rooms_erase_paged(w);
    }

    if (!w->more) {
        return ngx_rooms_offwalk_set(w, ngx_rooms_s(NGX_ROOMS_OFF_LEFT),
                              ngx_rooms_number(w->pool,
                                               ngx_rooms_now()));
    }

    if (w->errands.nelts) {
        e = w->errands.elts;
        e += w->errands.nelts - 1;
        w->after_len = ngx_min(e->room.len, sizeof(w->after));
        ngx_memcpy(w->after, e->room.data, w->after_len);
    }

    return ngx_rooms_offwalk_step(w);
}


/* Runs the next errand of the page. */
ngx_int_t
ngx_rooms_offwalk_errands(ngx_rooms_offwalk_t *w)
{
    ngx_rooms_errand_t          *errand;
    ngx_rooms_offwalk_errand_t  *e;

    if (w->next == w->errands.nelts) {
        return ngx_rooms_offwalk_paged(w);
    }

    if (ngx_exiting) {
        return NGX_DONE;
    }

    if (ngx_rooms_lease_due(&w->lease)) {
        /* after renewing the lease, the step finds only the rest */
        return ngx_rooms_offwalk_step(w);
    }

    e = w->errands.elts;
    e += w->next++;

    errand = &w->errand;

    ngx_memzero(errand, sizeof(ngx_rooms_errand_t));

    errand->ctx = w->place->ctx;
    errand->conf = w->place->conf;
    errand->lease = &w->lease;
    errand->tenant = w->tenant;
    errand->participant = w->id;
    errand->at = w->at;
    errand->kind = e->kind;
    errand->room = e->room;
    errand->event = e->event;
    errand->emoji = e->emoji;
    errand->handler = ngx_rooms_offwalk_errand;
    errand->data = w;

    return ngx_rooms_errand_run(errand) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


static void
ngx_rooms_offwalk_errand(ngx_rooms_errand_t *errand)
{
    ngx_int_t             rc;
    ngx_rooms_offwalk_t  *w;

    w = errand->data;

    switch (errand->error) {

    case ROOMS_OK:
    case ROOMS_E_NOT_FOUND:
    case ROOMS_E_EVENT:
        rc = ngx_rooms_offwalk_errands(w);
        break;

    case NGX_ROOMS_E_STORE:
    case NGX_ROOMS_E_CONFLICT:
        /* this worker may have lost the lease */
        rc = NGX_ERROR;
        break;

    default:
        ngx_log_error(NGX_LOG_ERR, w->timer.log, 0,
                      "rooms: can't finish the offboarding of \"%*s\" in "
                      "\"%*s\": %s",
                      w->id.len, w->id.data, errand->room.len,
                      errand->room.data,
                      ngx_rooms_error(errand->error)->code);
        w->skipped++;
        rc = ngx_rooms_offwalk_errands(w);
    }

    if (rc != NGX_AGAIN) {
        ngx_rooms_offwalk_end(w, rc == NGX_OK ? 0 : ngx_rooms_offwalk_idle());
    }
}


/* Decides what to do next for the participant. */
static ngx_int_t
ngx_rooms_offwalk_turn(ngx_rooms_offwalk_t *w, ngx_rooms_batch_t *b)
{
    w->off = b->replies[0];
    w->at = ngx_rooms_reply_str(b->replies[1]);
    w->had = ngx_rooms_reply_str(b->replies[2]);
    w->scim = ngx_rooms_reply_str(b->replies[3]);

    if (w->at.data == NULL) {
        /* reactivated meanwhile, which also took it off the list */
        return ngx_rooms_offwalk_finish(w);
    }

    if (ngx_rooms_offwalk_get(w, NGX_ROOMS_OFF_LEFT).data == NULL) {
        return ngx_rooms_offwalk_leave(w);
    }

    if (ngx_rooms_offwalk_get(w, NGX_ROOMS_OFF_ERASE).data == NULL
        || ngx_rooms_offwalk_get(w, NGX_ROOMS_OFF_ERASED).data)
    {
        return ngx_rooms_offwalk_finish(w);
    }

    return ngx_rooms_erase_turn(w);
}


/*
 * NGX_AGAIN: the turn goes on.  NGX_OK: the next turn starts immediately.
 * Otherwise the walk pauses.
 */
static ngx_int_t
ngx_rooms_offwalk_advance(ngx_rooms_offwalk_t *w, ngx_rooms_batch_t *b)
{
    int64_t  position;

    switch (w->state) {

    case NGX_ROOMS_OFFWALK_TENANT:
        return ngx_rooms_offwalk_tenant(w, b->replies[0]);

    case NGX_ROOMS_OFFWALK_LEASE:

        if (ngx_rooms_lease_answered(&w->lease, b, w->timer.log) != NGX_OK) {
            return NGX_DONE;
        }

        ngx_rooms_round_clear(&w->round);
        return ngx_rooms_offwalk_due(w);

    case NGX_ROOMS_OFFWALK_DUE:
        return ngx_rooms_offwalk_who(w, b);

    case NGX_ROOMS_OFFWALK_DROP:
        return NGX_DONE;

    case NGX_ROOMS_OFFWALK_WHO:
        return ngx_rooms_offwalk_turn(w, b);

    case NGX_ROOMS_OFFWALK_LEAVE:
        return ngx_rooms_offwalk_leaves(w, b->replies[0]);

    case NGX_ROOMS_OFFWALK_COMMIT:

        switch (ngx_rooms_commit_result(b, &position, w->timer.log)) {

        case NGX_ROOMS_COMMIT_DONE:
        case NGX_ROOMS_COMMIT_CONFLICT:
            /* done or not, the next step reads the new state */
            return ngx_rooms_offwalk_step(w);

        default:
            return NGX_ERROR;
        }

    default:
        return ngx_rooms_erase_advance(w, b);
    }
}
