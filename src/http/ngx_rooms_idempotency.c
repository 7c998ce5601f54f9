/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Idempotency-Key.  A request claims its key before it looks at anything, and
 * its commit replaces the claim with the answer.  So the change and the
 * record of it exist together or not at all.
 *
 * The key's value is "p HASH NONCE" while the first request is in flight, and
 * then "d HASH POSITION LENGTH PACKED".  A claim expires after five seconds
 * and is renewed while its request runs; so the claim of a crashed worker
 * soon goes away.  The commit guards the claim, so a request that has
 * released or lost its claim can't commit.  HASH is of the request, so that
 * the same key on another request is noticed: of its JSON, or of the digest
 * of an upload, which is read before the key is claimed.
 *
 * What is packed (rooms_pack.h) is "STATUS LOCATION\nBODY", of LENGTH bytes.
 * The commit's position isn't in it, only the marks of where it belongs: the
 * script can replace what is outside of it.
 *
 * A row that decides at once on what the worker remembers doesn't claim its
 * key: the commit guards that the key is free, and sets it to the answer.  If
 * that guard or another doesn't hold, or if the row refuses the request, the
 * key is claimed after all, and the row begins again.
 *
 * If the row can make the answer again from the same request, it isn't
 * stored: the value is "e HASH" and what the row needs for that.
 *
 * Answers about an incognito room must disappear with it.  There the value is
 * "r HASH ROOM", and the answer is in a hash that belongs to the room.
 */

#include "ngx_rooms_request.h"
#include "rooms_pack.h"
#include <sodium.h>


#define NGX_ROOMS_IDEM_MAX    255
#define NGX_ROOMS_IDEM_CLAIM  "5000"   /* ms, life of a claim */
#define NGX_ROOMS_IDEM_RENEW   1500    /* ms, between two renewals */

/* A list of answers is shed and renewed with each 16th answer, and minute. */
#define NGX_ROOMS_IDEM_DUE       16
#define NGX_ROOMS_IDEM_DUE_MS  60000
#define NGX_ROOMS_IDEM_LIST     512    /* bytes of a remembered key */


static void ngx_rooms_claim_end(ngx_rooms_req_t *rq);
static void ngx_rooms_claim_renew(ngx_event_t *ev);
static void ngx_rooms_claim_post(ngx_rooms_req_t *rq, ngx_uint_t renews);


static rooms_packer_t  ngx_rooms_claim_packer;


static rooms_str_t
ngx_rooms_idem_hash(ngx_rooms_req_t *rq, rooms_str_t a, rooms_str_t b)
{
    u_char                    digest[16];
    ngx_str_t                 in, out;
    crypto_generichash_state  state;

    out.data = ngx_pnalloc(rq->pool, ngx_base64_encoded_length(sizeof(digest)));
    if (out.data == NULL) {
        return ROOMS_NULL;
    }

    crypto_generichash_init(&state, NULL, 0, sizeof(digest));
    crypto_generichash_update(&state, a.data, a.len);
    crypto_generichash_update(&state, (u_char *) "", 1);
    crypto_generichash_update(&state, b.data, b.len);
    crypto_generichash_final(&state, digest, sizeof(digest));

    in = (ngx_str_t) { sizeof(digest), digest };
    ngx_encode_base64url(&out, &in);

    return rooms_from_ngx(out);
}


/* What the request asks for. */
static rooms_str_t
ngx_rooms_claim_asked(ngx_rooms_req_t *rq)
{
    return rq->digest.data ? rq->digest : rooms_from_ngx(rq->text);
}


static ngx_int_t
ngx_rooms_claim_make(ngx_rooms_req_t *rq, rooms_str_t name)
{
    u_char  nonce[16];

    rq->idem_hash = ngx_rooms_idem_hash(rq, rooms_cstr(rq->endpoint->path),
                         ngx_rooms_join(rq->pool, rq->param[NGX_ROOMS_P_ROOM],
                                        ngx_rooms_s("\n"), name,
                                        ngx_rooms_s("\n"),
                                        ngx_rooms_claim_asked(rq)));

    rq->idem_id = ngx_rooms_idem_hash(rq, rq->principal.sub, name);

    ngx_rooms_random_hex(nonce, sizeof(nonce));

    rq->idem_key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_IDEMPOTENCY,
                                 rq->idem_id);
    rq->idem_claim = ngx_rooms_join(rq->pool, ngx_rooms_s("p "),
                                    rq->idem_hash, ngx_rooms_s(" "),
                                    { sizeof(nonce), nonce });

    return rq->idem_claim.data && rq->idem_key.data ? NGX_OK : NGX_ERROR;
}


/* Asking twice does no harm, since the nonce identifies the claim. */
static ngx_int_t
ngx_rooms_claim_send(ngx_rooms_req_t *rq)
{
    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_command(rq->batch, ngx_rooms_s("SET"), rq->idem_key,
                             rq->idem_claim, ngx_rooms_s("NX"),
                             ngx_rooms_s("PX"),
                             ngx_rooms_s(NGX_ROOMS_IDEM_CLAIM)) != NGX_OK
        || ngx_rooms_command(rq->batch, ngx_rooms_s("GET"), rq->idem_key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->round = 1;

    return ngx_rooms_send_sure(rq);
}


/* What an answer is likely to repeat: who asks, and for what. */
static rooms_str_t
ngx_rooms_claim_hint(ngx_rooms_req_t *rq)
{
    rooms_str_t  asked;

    asked = ngx_rooms_claim_asked(rq);
    asked.len = ngx_min(asked.len, ROOMS_PACK_HINT);

    return ngx_rooms_join(rq->pool, rq->principal.sub, asked);
}


/* Replaces the marks of the position. */
static ngx_int_t
ngx_rooms_claim_fill(ngx_rooms_req_t *rq, rooms_str_t *answer,
    int64_t position)
{
    size_t        i;
    u_char       *start, *p;
    ngx_uint_t    n;
    rooms_str_t   a;

    a = *answer;

    for (n = 0, i = 0; i < a.len; i++) {
        n += a.data[i] <= 2;
    }

    start = ngx_pnalloc(rq->pool, a.len + n * NGX_INT64_LEN + 1);
    if (start == NULL) {
        return NGX_ERROR;
    }

    for (p = start, i = 0; i < a.len; i++) {

        switch (a.data[i]) {

        case 1:
            p = ngx_sprintf(p, "%013xL", position);
            break;

        case 2:
            p = ngx_sprintf(p, "%L", position);
            break;

        default:
            *p++ = a.data[i];
        }
    }

    *answer = (rooms_str_t) { p - start, start };

    return NGX_OK;
}


/* Reads "STATUS LOCATION\nBODY".  Only a room's answer has a location. */
static ngx_int_t
ngx_rooms_claim_read(ngx_rooms_req_t *rq, rooms_str_t *text)
{
    u_char       *line;
    int64_t       status;
    rooms_str_t   head;

    line = ngx_strlchr((u_char *) text->data,
                       (u_char *) text->data + text->len, '\n');
    if (line == NULL) {
        return NGX_ERROR;
    }

    head = (rooms_str_t) { line - text->data, text->data };

    if (ngx_rooms_word_int(&head, 299, &status) != NGX_OK || status < 200
        || (head.len && !rooms_id_valid(head, "room-")))
    {
        return NGX_ERROR;
    }

    rq->status = status;
    rq->location = head.len ? head : ROOMS_NULL;

    text->len -= line + 1 - text->data;
    text->data = line + 1;

    return NGX_OK;
}


/* Unpacks the answer of "POSITION LENGTH PACKED". */
static ngx_int_t
ngx_rooms_claim_unpack(ngx_rooms_req_t *rq, rooms_str_t packed,
    rooms_str_t *answer)
{
    u_char       *p;
    int64_t       position, len;
    rooms_str_t   hint;

    if (ngx_rooms_word_int(&packed, INT64_MAX, &position) != NGX_OK
        || ngx_rooms_word_int(&packed, ROOMS_PACK_MAX, &len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(rq->pool, len + 1);
    hint = ngx_rooms_claim_hint(rq);

    if (p == NULL || hint.data == NULL
        || !rooms_unpack(&ngx_rooms_claim_packer, packed, hint, p, len))
    {
        return NGX_ERROR;
    }

    *answer = (rooms_str_t) { len, p };

    return ngx_rooms_claim_read(rq, answer) == NGX_OK
           ? ngx_rooms_claim_fill(rq, answer, position) : NGX_ERROR;
}


/* Answers with the recorded answer. */
static ngx_int_t
ngx_rooms_claim_replay(ngx_rooms_req_t *rq, rooms_str_t value)
{
    rooms_str_t  kept, answer;

    kept.len = value.len - ngx_min(value.len, 3 + rq->idem_hash.len);
    kept.data = value.data + value.len - kept.len;

    if (value.data[0] == 'e') {
        rq->idem_kept = kept;
        return rq->endpoint->recall ? rq->endpoint->recall(rq) : NGX_ERROR;
    }

    if (ngx_rooms_claim_unpack(rq, kept, &answer) != NGX_OK) {
        ngx_rooms_unreadable(rq->r->connection->log, "answer", rq->idem_id);
        return NGX_ERROR;
    }

    return ngx_rooms_claim_again(rq, answer);
}


ngx_int_t
ngx_rooms_claim_again(ngx_rooms_req_t *rq, rooms_str_t body)
{
    ngx_rooms_out_init(&rq->out, rq->pool);
    ngx_rooms_out_ref(&rq->out, body);

    rq->replayed = 1;
    rq->state = NGX_ROOMS_SHOW;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_claim_fetch(ngx_rooms_req_t *rq, rooms_str_t value)
{
    rooms_str_t  room;

    room.data = value.data + 3 + rq->idem_hash.len;
    room.len = value.data + value.len - room.data;

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys, "HGET %k %s",
                         NGX_ROOMS_KEY_ANSWERS, room, rq->idem_id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, 2);
}


ngx_int_t
ngx_rooms_claim(ngx_rooms_req_t *rq)
{
    size_t       i;
    rooms_str_t  name, value, hash, claim;

    if (!(rq->endpoint->flags & NGX_ROOMS_CREATES) || rq->dry_run) {
        return NGX_OK;
    }

    if (rq->round == 0 && rq->idem_claim.data) {
        /* it expired while the request was in flight, or there was none */
        rq->unclaimed = 0;
        return ngx_rooms_claim_send(rq);
    }

    if (rq->round == 0) {
        name = ngx_rooms_header_in(rq->r, "Idempotency-Key");

        if (name.data == NULL) {
            return NGX_OK;
        }

        for (i = 0; i < name.len && name.data[i] > 0x20
                    && name.data[i] < 0x7f; i++) { /* void */ }

        if (i != name.len || i == 0 || i > NGX_ROOMS_IDEM_MAX) {
            return ngx_rooms_invalid(rq, "Idempotency-Key",
                                     "must be 1 to 255 visible characters");
        }

        if (ngx_rooms_claim_make(rq, name) != NGX_OK) {
            return NGX_ERROR;
        }

        rq->unclaimed = rq->endpoint->proposes
                        && rq->endpoint->proposes(rq);

        return rq->unclaimed ? NGX_OK : ngx_rooms_claim_send(rq);
    }

    if (rq->round == NGX_ROOMS_RECALL) {
        return rq->endpoint->recall(rq);
    }

    if (rq->round == 2) {
        value = ngx_rooms_reply_str(ngx_rooms_reply(rq, 0));

        return value.data ? ngx_rooms_claim_replay(rq, value)
                          : ngx_rooms_fail(rq, ROOMS_E_NOT_FOUND, NULL);
    }

    value = ngx_rooms_reply_str(ngx_rooms_reply(rq, 1));

    if (rooms_str_eq(value, rq->idem_claim)) {

        if (!rq->idem_timer.timer_set) {
            rq->idem_timer.handler = ngx_rooms_claim_renew;
            rq->idem_timer.data = rq;
            rq->idem_timer.log = rq->r->connection->log;
            ngx_add_timer(&rq->idem_timer, NGX_ROOMS_IDEM_RENEW);
        }

        return NGX_OK;
    }

    /* the claim is another request's: don't release it */

    claim = rq->idem_claim;
    ngx_rooms_claim_end(rq);

    if (value.len < claim.len - 17) {
        /* expired between the two commands, or invalid */
        rq->retry_after = 1;
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT, NULL);
    }

    hash = (rooms_str_t) { rq->idem_hash.len, value.data + 2 };

    if (!rooms_str_eq(hash, rq->idem_hash)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_IDEMPOTENCY, NULL);
    }

    if (value.data[0] != 'p' && !ngx_rooms_is_sure(rq)) {
        /* the recorded change might be lost with its primary */
        rq->partly = 1;
        return ngx_rooms_fail_store(rq, NGX_ROOMS_BATCH_LOST);
    }

    if (value.data[0] == 'd' || value.data[0] == 'e') {
        return ngx_rooms_claim_replay(rq, value);
    }

    if (value.data[0] == 'r' && value.len > rq->idem_hash.len + 3) {
        return ngx_rooms_claim_fetch(rq, value);
    }

    rq->retry_after = 1;

    return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                          "a request with this Idempotency-Key is in flight");
}


/* Whether this worker has neither shed nor renewed the list lately. */
static ngx_uint_t
ngx_rooms_claim_due(ngx_rooms_store_t *store, rooms_str_t list)
{
    static struct {
        ngx_rooms_store_t  *store;
        u_char              key[NGX_ROOMS_IDEM_LIST];
        size_t              len;
        ngx_uint_t          count;
        ngx_msec_t          at;
    } last;

    if (store == last.store && list.len == last.len
        && ngx_memcmp(list.data, last.key, last.len) == 0
        && ++last.count < NGX_ROOMS_IDEM_DUE
        && ngx_current_msec - last.at < NGX_ROOMS_IDEM_DUE_MS)
    {
        return 0;
    }

    if (list.data && list.len <= NGX_ROOMS_IDEM_LIST) {
        ngx_memcpy(last.key, list.data, list.len);
        last.store = store;
        last.len = list.len;
        last.count = 0;
        last.at = ngx_current_msec;
    }

    return 1;
}


/*
 * Answers contain names and texts.  So each is listed under the participant
 * who asked, and under one that it names, for an erasure to find.  NULL: the
 * list of all, which the tenant's quota counts.  The lists live an hour
 * longer than the answers, so not each answer needs to renew them.
 */
static void
ngx_rooms_claim_index(ngx_rooms_req_t *rq, rooms_str_t participant)
{
    rooms_str_t  key;

    key = ngx_rooms_key(&rq->keys, participant.data
                                   ? NGX_ROOMS_KEY_USER_ANSWERS
                                   : NGX_ROOMS_KEY_KEPT, participant);

    ngx_rooms_commit_write(&rq->commit, "ZADD", key,
                           ngx_rooms_number(rq->pool, rq->now), rq->idem_id);

    if (ngx_rooms_claim_due(rq->conf->store, key)) {
        ngx_rooms_commit_shed(&rq->commit, key, rq->now - 86400000);
        ngx_rooms_commit_write(&rq->commit, "EXPIRE", key,
                               ngx_rooms_s("90000"));
    }
}


/* Packs the answer, which rq->idem_answer keeps as it is. */
static ngx_int_t
ngx_rooms_claim_pack(ngx_rooms_req_t *rq, rooms_str_t *text,
    rooms_str_t *packed)
{
    u_char       *p, status[NGX_INT_T_LEN + 1];
    rooms_str_t   hint;

    *text = ngx_rooms_join(rq->pool,
                           { ngx_sprintf(status, "%ui ", rq->status
                                         ? rq->status : NGX_HTTP_OK)
                             - status, status },
                           rq->location, ngx_rooms_s("\n"), rq->idem_answer);
    hint = ngx_rooms_claim_hint(rq);

    p = ngx_pnalloc(rq->pool, rooms_pack_size(text->len));

    if (p == NULL || text->data == NULL || hint.data == NULL) {
        return NGX_ERROR;
    }

    packed->data = p;
    packed->len = rooms_pack(&ngx_rooms_claim_packer, *text, hint, p);

    return packed->len ? NGX_OK : NGX_ERROR;
}


/*
 * Writes the answer in the form that is stored.  `at`: the commit has a
 * position, whose mark is in the first *marked bytes.
 */
static ngx_int_t
ngx_rooms_claim_show(ngx_rooms_req_t *rq, ngx_uint_t at, rooms_str_t *value,
    size_t *marked)
{
    rooms_str_t  text, packed;

    ngx_rooms_out_init(&rq->out, rq->pool);

    if (rq->endpoint->show(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    rq->idem_answer = ngx_rooms_out_flat(&rq->out);

    if (rq->idem_answer.data == NULL
        || ngx_rooms_claim_pack(rq, &text, &packed) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *value = ngx_rooms_join(rq->pool, ngx_rooms_s("d "), rq->idem_hash,
                            at ? ngx_rooms_s(" " NGX_ROOMS_POS " ")
                               : ngx_rooms_s(" 0 "),
                            ngx_rooms_number(rq->pool, text.len),
                            ngx_rooms_s(" "), packed);
    *marked = value->len - packed.len;

    return NGX_OK;
}


/* Writes what the row needs to make the answer again. */
static ngx_int_t
ngx_rooms_claim_keep(ngx_rooms_req_t *rq, ngx_uint_t at, rooms_str_t *value,
    size_t *marked)
{
    rooms_str_t  kept;

    kept = rq->endpoint->keep ? rq->endpoint->keep(rq) : ROOMS_NULL;

    if (kept.data == NULL) {
        return ngx_rooms_claim_show(rq, at, value, marked);
    }

    rq->idem_answer = ROOMS_NULL;
    *value = ngx_rooms_join(rq->pool, ngx_rooms_s("e "), rq->idem_hash,
                            ngx_rooms_s(" "), kept);
    *marked = value->len;

    return NGX_OK;
}


/*
 * Writes the answer before the commit, so that the commit records it.  The
 * script fills in the position.
 */
ngx_int_t
ngx_rooms_claim_record(ngx_rooms_req_t *rq)
{
    size_t               marked;
    ngx_uint_t           at;
    rooms_str_t          value, answers;
    ngx_rooms_commit_t  *c;

    c = &rq->commit;
    at = rq->committing && c->events.data;

    if (at) {
        rq->position = NGX_ROOMS_POSITION_LATER;
    }

    if (ngx_rooms_claim_keep(rq, at, &value, &marked) != NGX_OK
        || value.data == NULL
        || (!rq->committing && ngx_rooms_begin(rq) != NGX_OK))
    {
        return NGX_ERROR;
    }

    ngx_rooms_commit_guard_string(c, rq->idem_key, rq->unclaimed
                                                   ? ROOMS_NULL
                                                   : rq->idem_claim);
    rq->idem_guard = c->nguards;

    ngx_rooms_claim_index(rq, ROOMS_NULL);

    if (rq->idem_answer.data) {
        ngx_rooms_claim_index(rq, rq->principal.sub);
    }

    ngx_rooms_commit_adds(c, NGX_ROOMS_QUOTA_KEYS, 1);

    if (rq->named.data) {
        ngx_rooms_claim_index(rq, rq->named);
    }

    if (!at) {
        marked = 0;
    }

    if (rq->view.room.incognito) {
        /* one that is there, or that this commit creates */

        answers = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_ANSWERS,
                                rq->view.room.id);

        ngx_rooms_commit_command(c, marked, ngx_rooms_s("HSET"), answers,
                                 (rooms_str_t[]) { rq->idem_id, value }, 2);

        value = ngx_rooms_join(rq->pool, ngx_rooms_s("r "), rq->idem_hash,
                               ngx_rooms_s(" "), rq->view.room.id);
        marked = 0;
    }

    ngx_rooms_commit_command(c, marked, ngx_rooms_s("SET"), rq->idem_key,
                             (rooms_str_t[]) { value, ngx_rooms_s("EX"),
                                               ngx_rooms_s("86400") }, 3);

    return NGX_OK;
}


/* The commit is done: shows the answer, with its position. */
ngx_int_t
ngx_rooms_claim_answer(ngx_rooms_req_t *rq)
{
    ngx_rooms_claim_end(rq);

    if (rq->idem_answer.data == NULL) {
        return rq->endpoint->show(rq);
    }

    if (ngx_rooms_claim_fill(rq, &rq->idem_answer, rq->position) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_out_init(&rq->out, rq->pool);
    ngx_rooms_out_ref(&rq->out, rq->idem_answer);

    return NGX_OK;
}


/* The request no longer uses its claim. */
static void
ngx_rooms_claim_end(ngx_rooms_req_t *rq)
{
    rq->idem_claim = ROOMS_NULL;

    if (rq->idem_timer.timer_set) {
        ngx_del_timer(&rq->idem_timer);
    }
}


/*
 * Deletes the claim, so that the key can be used again at once.  This is safe
 * even if a commit is still on its way: it either ran before, and replaced
 * the claim, or it finds no claim and changes nothing.
 */
void
ngx_rooms_claim_release(ngx_rooms_req_t *rq)
{
    if (rq->idem_claim.data && !rq->unclaimed) {
        ngx_rooms_claim_post(rq, 0);
        ngx_rooms_claim_end(rq);
    }
}


static void
ngx_rooms_claim_renew(ngx_event_t *ev)
{
    ngx_rooms_req_t *rq = ev->data;

    ngx_add_timer(ev, NGX_ROOMS_IDEM_RENEW);
    ngx_rooms_claim_post(rq, 1);
}


/*
 * Renews or deletes the claim if it is still ours.  Nobody waits for the
 * reply.
 */
static void
ngx_rooms_claim_post(ngx_rooms_req_t *rq, ngx_uint_t renews)
{
    ngx_rooms_keys_t     keys;
    ngx_rooms_batch_t   *b;
    ngx_rooms_commit_t   c;

    b = ngx_rooms_batch_create(ngx_cycle->log);
    if (b == NULL) {
        return;
    }

    keys = rq->keys;
    keys.pool = b->pool;

    if (ngx_rooms_commit_init(&c, b->pool, &keys) != NGX_OK) {
        ngx_rooms_batch_free(b);
        return;
    }

    ngx_rooms_commit_guard_string(&c, rq->idem_key, rq->idem_claim);

    if (renews) {
        ngx_rooms_commit_write(&c, "PEXPIRE", rq->idem_key,
                               ngx_rooms_s(NGX_ROOMS_IDEM_CLAIM));

    } else {
        ngx_rooms_commit_delete(&c, rq->idem_key);
    }

    if (ngx_rooms_commit_build(&c, b, &keys, 1) != NGX_OK) {
        ngx_rooms_batch_free(b);
        return;
    }

    b->handler = ngx_rooms_batch_free;
    b->wanted = 1;

    ngx_rooms_store_send(rq->conf->store, rq->keys.slot,
                         NGX_ROOMS_LANE_FAST, b);
}


void
ngx_rooms_put_position(rooms_buf_t *b, int64_t position)
{
    if (position == NGX_ROOMS_POSITION_LATER) {
        rooms_json_lit(b, NGX_ROOMS_POS);
        return;
    }

    rooms_json_int(b, position);
}


void
ngx_rooms_claim_exit_worker(void)
{
    rooms_packer_free(&ngx_rooms_claim_packer);
}
