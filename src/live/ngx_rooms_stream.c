/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A stream's life, whatever its transport.
 *
 *      reader: a page --> encoded --> being sent --> taken --> reader: next
 *                 |          ^
 *                 v          |
 *              imported events: look up the authors
 *
 * One page at a time: the reader goes on when the client has taken the whole
 * last one.  So a slow client costs one page, and its reader catches up
 * later.  A waiting stream holds no buffers, no batch and no page.
 *
 * It ends with its lifetime, its token, the store or the worker.  It sends
 * the reason, and then closes the connection.
 */

#include "ngx_rooms_stream.h"


/* Counts the streams of a participant in this worker. */
struct ngx_rooms_crowd_s {
    ngx_str_node_t            sn;
    ngx_uint_t                n;
};


const ngx_rooms_stream_reason_t  ngx_rooms_stream_reasons[] = {
    [NGX_ROOMS_STREAM_EXPIRED] = { "SW_AUTH_EXPIRED_TOKEN", 0, 4001 },
    [NGX_ROOMS_STREAM_LIFETIME] = { "SW_STREAM_LIFETIME", 1, 1001 },
    [NGX_ROOMS_STREAM_RELOAD] = { "SW_STREAM_RELOAD", 1, 1001 },
    [NGX_ROOMS_STREAM_STORE] = { "SW_STORE_UNAVAILABLE", 1, 1013 },
    [NGX_ROOMS_STREAM_FAULT] = { "SW_INTERNAL", 1, 1011 },
    [NGX_ROOMS_STREAM_DEACTIVATED] =
        { "SW_PARTICIPANT_DEACTIVATED", 0, 4001 }
};


static ngx_int_t ngx_rooms_crowd_enter(ngx_rooms_stream_t *st);
static void ngx_rooms_stream_resume(ngx_rooms_req_t *rq, ngx_int_t rc);
static void ngx_rooms_stream_go(ngx_rooms_stream_t *st, ngx_int_t rc);
static ngx_int_t ngx_rooms_stream_page(ngx_rooms_stream_t *st);
static ngx_int_t ngx_rooms_stream_encode(ngx_rooms_stream_t *st);
static ngx_int_t ngx_rooms_stream_send(ngx_rooms_stream_t *st,
    ngx_uint_t last);
static ngx_int_t ngx_rooms_stream_wait(ngx_rooms_stream_t *st);
static void ngx_rooms_stream_writer(ngx_http_request_t *r);
static void ngx_rooms_stream_leave(ngx_rooms_reader_t *s);
static void ngx_rooms_stream_timer(ngx_event_t *ev);
static void ngx_rooms_stream_tick(ngx_rooms_stream_t *st);
static ngx_int_t ngx_rooms_stream_put(ngx_rooms_stream_t *st,
    ngx_rooms_out_t *out);
static void ngx_rooms_stream_cleanup(void *data);


static ngx_rbtree_t       ngx_rooms_crowds;
static ngx_rbtree_node_t  ngx_rooms_crowds_sentinel;


ngx_int_t
ngx_rooms_stream_create(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s,
    const ngx_rooms_transport_t *transport)
{
    ngx_msec_t           lifetime;
    ngx_rooms_stream_t  *st;

    st = ngx_rooms_owned(rq->pool, sizeof(ngx_rooms_stream_t),
                         ngx_rooms_stream_cleanup);
    if (st == NULL) {
        return NGX_ERROR;
    }

    st->rq = rq;
    st->reader = s;
    st->transport = transport;
    st->timer.handler = ngx_rooms_stream_timer;
    st->timer.data = st;
    st->timer.log = rq->r->connection->log;

    s->stream = 1;
    s->waits = 1;
    s->tells = 1;
    s->leave = ngx_rooms_stream_leave;
    s->owner = st;

    /* spread, so that streams that began together don't end together */

    lifetime = rq->conf->stream_lifetime;
    lifetime = lifetime / 10 * 9 + ngx_random() % (lifetime / 5 + 1);

    st->lives = ngx_current_msec + lifetime;

    ngx_rooms_stream_extend(st, rq->principal.exp);

    return ngx_rooms_crowd_enter(st);
}


void
ngx_rooms_stream_extend(ngx_rooms_stream_t *st, int64_t exp)
{
    int64_t      left;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    left = (exp - tp->sec) * 1000 - (int64_t) tp->msec;
    left = ngx_max(left, 0);

    st->rq->principal.exp = exp;
    st->expires = left < (int64_t) (st->lives - ngx_current_msec);
    st->until = st->expires ? ngx_current_msec + left : st->lives;

    if (st->timer.timer_set) {
        ngx_rooms_stream_tick(st);
    }
}


ngx_uint_t
ngx_rooms_stream_retry(ngx_rooms_stream_end_e why)
{
    /*
     * all streams of the worker end together, but should not return together
     */

    return why == NGX_ROOMS_STREAM_RELOAD ? 1000 + ngx_random() % 4001 : 2000;
}


static ngx_int_t
ngx_rooms_crowd_enter(ngx_rooms_stream_t *st)
{
    u_char             *p;
    ngx_str_t           name;
    rooms_str_t         key;
    ngx_rooms_req_t    *rq;
    ngx_rooms_crowd_t  *crowd;

    rq = st->rq;

    if (ngx_rooms_crowds.root == NULL) {
        ngx_rbtree_init(&ngx_rooms_crowds, &ngx_rooms_crowds_sentinel,
                        ngx_str_rbtree_insert_value);
    }

    key = ngx_rooms_join(rq->pool, rq->keys.prefix, rq->principal.sub);
    if (key.data == NULL) {
        return NGX_ERROR;
    }

    name = ngx_from_rooms(key);

    crowd = (ngx_rooms_crowd_t *) ngx_str_rbtree_lookup(&ngx_rooms_crowds,
                              &name, ngx_crc32_short(name.data, name.len));

    if (crowd == NULL) {
        crowd = ngx_calloc(sizeof(ngx_rooms_crowd_t) + name.len,
                           ngx_cycle->log);
        if (crowd == NULL) {
            return NGX_ERROR;
        }

        p = (u_char *) (crowd + 1);
        ngx_memcpy(p, name.data, name.len);

        crowd->sn.str.data = p;
        crowd->sn.str.len = name.len;
        crowd->sn.node.key = ngx_crc32_short(p, name.len);
        ngx_rbtree_insert(&ngx_rooms_crowds, &crowd->sn.node);

    } else if (crowd->n >= (ngx_uint_t) rq->conf->stream_connections) {
        rq->retry_after = 5;
        return ngx_rooms_fail(rq, NGX_ROOMS_E_RATE_LIMIT,
                              "too many streams of this participant are "
                              "open (rooms_stream_connections)");
    }

    crowd->n++;
    st->crowd = crowd;

    return NGX_OK;
}


static void
ngx_rooms_crowd_leave(ngx_rooms_stream_t *st)
{
    ngx_rooms_crowd_t  *crowd;

    crowd = st->crowd;
    st->crowd = NULL;

    if (crowd && --crowd->n == 0) {
        ngx_rbtree_delete(&ngx_rooms_crowds, &crowd->sn.node);
        ngx_free(crowd);
    }
}


/* The reader has its first page: starts the stream. */
void
ngx_rooms_stream_answer(ngx_rooms_req_t *rq)
{
    ngx_int_t            rc;
    ngx_rooms_reader_t  *s;
    ngx_rooms_stream_t  *st;
    ngx_http_request_t  *r;

    r = rq->r;
    s = rq->data;
    st = s->owner;

    rq->state = NGX_ROOMS_DONE;

    rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK) {
        /* no request can follow on this connection */
        r->keepalive = 0;

        r->disable_not_modified = 1;
#if (NGX_HTTP_GZIP)
        r->gzip_tested = 1;
        r->gzip_ok = 0;
#endif
        rc = st->transport->header(st);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_send_header(r);
    }

    if (rc == NGX_ERROR || rc > NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    rq->sent = 1;
    ngx_rooms_status_request(rq, r->headers_out.status);

    if (r->header_only) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_rooms_status_doing(rq, st->transport->gauge);

    rq->resume = ngx_rooms_stream_resume;

    r->write_event_handler = ngx_rooms_stream_writer;

    if (st->transport->read) {
        r->read_event_handler = st->transport->read;
        /* the client may have sent something already */
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    ngx_rooms_stream_go(st, NGX_OK);
}


/* The store has answered, or there is news. */
static void
ngx_rooms_stream_resume(ngx_rooms_req_t *rq, ngx_int_t rc)
{
    ngx_rooms_reader_t  *s;
    ngx_rooms_stream_t  *st;

    s = rq->data;
    st = s->owner;

    if (st->ended) {
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_rooms_stream_go(st, rc);
        return;
    }

    if (st->asking) {
        st->asking = 0;

        rc = ngx_rooms_authors_take(rq);

        if (rc == NGX_OK) {
            rc = ngx_rooms_stream_encode(st);
        }

        if (rc == NGX_OK) {
            rc = ngx_rooms_stream_send(st, 0);
        }

        if (rc == NGX_OK) {
            rc = ngx_rooms_reader_next(st->rq, s);
        }

        ngx_rooms_stream_go(st, rc);
        return;
    }

    ngx_rooms_stream_go(st, ngx_rooms_reader_step(rq, s));
}


static void
ngx_rooms_stream_go(ngx_rooms_stream_t *st, ngx_int_t rc)
{
    ngx_rooms_req_t  *rq;

    rq = st->rq;

    for ( ;; ) {

        if (rc == NGX_AGAIN) {

            if (rq->r->connection->error || !st->says) {
                return;
            }

            ngx_rooms_stream_say(st);
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_rooms_stream_end(st, rq->error == NGX_ROOMS_E_STORE
                                     ? NGX_ROOMS_STREAM_STORE
                                     : rq->error == NGX_ROOMS_E_DEACTIVATED
                                     ? NGX_ROOMS_STREAM_DEACTIVATED
                                     : NGX_ROOMS_STREAM_FAULT);
            return;
        }

        if (rc == NGX_DONE) {
            /* the connection is broken */
            ngx_http_finalize_request(rq->r, NGX_ERROR);
            return;
        }

        if (ngx_exiting) {
            ngx_rooms_stream_end(st, NGX_ROOMS_STREAM_RELOAD);
            return;
        }

        rc = ngx_rooms_stream_page(st);

        if (rc == NGX_OK) {
            rc = ngx_rooms_stream_send(st, 0);
        }

        rq = st->rq;

        if (rc == NGX_OK) {
            rc = ngx_rooms_reader_next(rq, st->reader);
        }
    }
}


/* Takes a text that another stream has written for the same news. */
static ngx_uint_t
ngx_rooms_stream_shared(ngx_rooms_stream_t *st)
{
    ngx_rooms_news_t    *news;
    ngx_rooms_reader_t  *s;

    s = st->reader;
    news = s->news;

    if (news == NULL || s->nevents != news->nevents || st->says
        || !st->begun || !st->caught
        || news->texts[st->transport->number] == NULL)
    {
        return 0;
    }

    st->text = news->texts[st->transport->number];
    st->text->refs++;
    st->last_sent = s->cursor;

    s->events = NULL;
    s->nevents = 0;
    ngx_rooms_fanout_leave(s);

    return 1;
}


/* NGX_AGAIN: first the authors of imported events are looked up. */
static ngx_int_t
ngx_rooms_stream_page(ngx_rooms_stream_t *st)
{
    ngx_uint_t           i;
    ngx_rooms_req_t     *rq;
    ngx_rooms_reader_t  *s;

    rq = st->rq;
    s = st->reader;

    if (ngx_rooms_stream_shared(st)) {
        return NGX_OK;
    }

    st->pool = ngx_create_pool(4096, ngx_cycle->log);
    if (st->pool == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_out_init(&rq->out, st->pool);

    for (i = 0; i < s->nevents && s->news == NULL; i++) {
        s->events[i].imported = s->events[i].authored
                                && ngx_rooms_out_imported(&rq->out,
                                                          s->events[i].json)
                                   == NGX_OK;
    }

    if (rq->out.failed) {
        return NGX_ERROR;
    }

    if (rq->out.imported) {
        st->asking = 1;
        return ngx_rooms_authors_ask(rq);
    }

    return ngx_rooms_stream_encode(st);
}


static ngx_int_t
ngx_rooms_stream_flat(ngx_rooms_stream_t *st, ngx_rooms_out_t *out)
{
    u_char            *p;
    ngx_chain_t       *cl;
    ngx_rooms_text_t  *text;

    ngx_rooms_out_close(out);

    if (out->failed) {
        return NGX_ERROR;
    }

    if (out->size == 0) {
        return NGX_OK;
    }

    text = ngx_rooms_text_create(out->size);
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) text->bytes.data;

    for (cl = out->first; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    st->text = text;

    return NGX_OK;
}


/* Turns the page into bytes, and frees what it was made of. */
static ngx_int_t
ngx_rooms_stream_encode(ngx_rooms_stream_t *st)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_uint_t                    shared;
    ngx_chain_t                  *imported;
    ngx_rooms_out_t               out;
    ngx_rooms_news_t             *news;
    ngx_rooms_reader_t           *s;
    ngx_rooms_reader_event_t     *e;
    const ngx_rooms_transport_t  *t;

    s = st->reader;
    t = st->transport;
    imported = st->rq->out.first;
    news = s->news;

    /* other streams may use the text if they send exactly this */
    shared = news && s->nevents == news->nevents && st->begun && st->caught
             && !st->says;

    ngx_rooms_out_init(&out, st->pool);

    if (!st->begun) {
        st->begun = 1;
        t->hello(st, &out);
    }

    if (s->reset) {
        t->reset(&out, s->reset, s->cursor);
        st->last_sent = s->cursor;
        s->tells = 1;
        st->caught = 0;
    }

    for (i = 0; i < s->nevents; i++) {
        e = &s->events[i];

        if (e->imported) {
            e->json = (rooms_str_t) {
                         imported->buf->last - imported->buf->pos,
                         imported->buf->pos };
            imported = imported->next;
        }

        t->event(&out, st->rq->principal.tenant, e->position, e->json);
        st->last_sent = e->position;
    }

    if (!s->more && !s->reset && !st->caught) {
        t->caught_up(&out, s->cursor);
        st->last_sent = s->cursor;
        st->caught = 1;
        s->tells = 0;
    }

    if (st->says) {
        st->says = 0;
        t->more(st, &out);
    }

    rc = ngx_rooms_stream_flat(st, &out);

    ngx_destroy_pool(st->pool);
    st->pool = NULL;
    s->events = NULL;
    s->nevents = 0;

    if (shared && st->text && news->texts[t->number] == NULL) {
        news->texts[t->number] = st->text;
        st->text->refs++;
    }

    ngx_rooms_fanout_leave(s);
    ngx_rooms_forget(st->rq);

    if (!st->trimmed) {
        st->trimmed = 1;
        st->rq = ngx_rooms_req_trim(st->rq);
        s->rq = st->rq;
    }

    return rc;
}


void
ngx_rooms_stream_hello(ngx_rooms_stream_t *st, rooms_buf_t *b)
{
    u_char               id[32];
    ngx_rooms_req_t     *rq;
    ngx_rooms_reader_t  *s;

    rq = st->rq;
    s = st->reader;

    ngx_rooms_random_hex(id, sizeof(id));

    rooms_json_lit(b, "\"session_id\":\"");
    rooms_json_raw(b, id, sizeof(id));
    rooms_json_lit(b, "\",\"server_name\":");
    rooms_json_str(b, rooms_from_ngx(rq->conf->server_name));
    rooms_json_lit(b, ",\"tenant_id\":");
    rooms_json_str(b, rq->principal.tenant);
    rooms_json_lit(b, ",\"position\":");
    rooms_json_int(b, s->reset ? s->cursor : s->from);
    rooms_json_lit(b, ",\"epoch\":");
    rooms_json_str(b, s->epoch);
    rooms_json_lit(b, ",\"heartbeat\":");
    rooms_json_int(b, (rq->conf->stream_heartbeat + 999) / 1000);
    rooms_json_lit(b, ",\"expires_at\":");
    rooms_json_time(b, rq->principal.exp * 1000);
}


/*
 * NGX_OK: taken, or nothing to send; NGX_AGAIN: wait for the client;
 * NGX_DONE: the connection is broken.
 */
static ngx_int_t
ngx_rooms_stream_send(ngx_rooms_stream_t *st, ngx_uint_t last)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    if (st->text == NULL) {
        return NGX_OK;
    }

    r = st->rq->r;

    cl = ngx_chain_get_free_buf(r->pool, &st->free);
    if (cl == NULL) {
        return NGX_DONE;
    }

    b = cl->buf;
    b->start = (u_char *) st->text->bytes.data;
    b->end = b->start + st->text->bytes.len;
    b->pos = b->start;
    b->last = b->end;
    b->memory = 1;
    b->flush = 1;
    b->last_buf = last;
    b->last_in_chain = last;
    b->tag = (ngx_buf_tag_t) &ngx_rooms_module;

    if (st->transport->pings == NULL || st->sent == 0) {
        st->sent = ngx_current_msec;
    }

    if (!st->timer.timer_set && !last) {
        ngx_rooms_stream_tick(st);
    }

    rc = ngx_http_output_filter(r, cl);

    ngx_chain_update_chains(r->pool, &st->free, &st->busy, &cl,
                            (ngx_buf_tag_t) &ngx_rooms_module);

    if (rc == NGX_ERROR) {
        return NGX_DONE;
    }

    if (st->busy == NULL) {
        ngx_rooms_text_release(st->text);
        st->text = NULL;
        return NGX_OK;
    }

    return last || ngx_rooms_stream_wait(st) == NGX_OK ? NGX_AGAIN : NGX_DONE;
}


/* Waits for the client to take the rest, with a timeout. */
static ngx_int_t
ngx_rooms_stream_wait(ngx_rooms_stream_t *st)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = st->rq->r;
    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


static void
ngx_rooms_stream_writer(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_chain_t         *out;
    ngx_event_t         *wev;
    ngx_connection_t    *c;
    ngx_rooms_req_t     *rq;
    ngx_rooms_reader_t  *s;
    ngx_rooms_stream_t  *st;

    c = r->connection;
    wev = c->write;
    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);
    s = rq->data;
    st = s->owner;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (st->busy == NULL) {
        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    if (!wev->delayed) {
        rc = ngx_http_output_filter(r, NULL);

        out = NULL;
        ngx_chain_update_chains(r->pool, &st->free, &st->busy, &out,
                                (ngx_buf_tag_t) &ngx_rooms_module);

        if (rc == NGX_ERROR) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }
    }

    if (st->busy) {
        if (ngx_rooms_stream_wait(st) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }

    ngx_rooms_text_release(st->text);
    st->text = NULL;

    if (st->ending) {
        ngx_rooms_stream_end(st, st->ending);
        return;
    }

    ngx_rooms_stream_go(st, ngx_rooms_reader_next(rq, s));
}


/*
 * Sends the reason and closes.  If the client hasn't taken the last page yet,
 * waits for that first, unless the worker can't wait.
 */
void
ngx_rooms_stream_end(ngx_rooms_stream_t *st, ngx_rooms_stream_end_e why)
{
    ngx_int_t            rc;
    ngx_rooms_out_t      out;
    ngx_http_request_t  *r;

    r = st->rq->r;

    if (st->busy && why != NGX_ROOMS_STREAM_RELOAD) {
        st->ending = why;
        return;
    }

    st->ended = 1;
    ngx_rooms_reader_stop(st->reader);

    if (st->timer.timer_set) {
        ngx_del_timer(&st->timer);
    }

    if (st->pool) {
        ngx_destroy_pool(st->pool);
    }

    st->pool = ngx_create_pool(1024, ngx_cycle->log);

    if (st->busy || st->pool == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_rooms_out_init(&out, st->pool);
    st->transport->end(st, &out, why);

    rc = ngx_rooms_stream_flat(st, &out);

    if (rc == NGX_OK) {
        rc = ngx_rooms_stream_send(st, 1);
    }

    ngx_http_finalize_request(r, rc == NGX_OK || rc == NGX_AGAIN ? rc
                                                                : NGX_ERROR);
}


/* The worker should exit.  Streams that aren't blocked find out themselves. */
static void
ngx_rooms_stream_leave(ngx_rooms_reader_t *s)
{
    ngx_connection_t    *c;
    ngx_rooms_stream_t  *st;

    st = s->owner;

    if (st->busy) {
        c = st->rq->r->connection;

        ngx_rooms_stream_end(st, NGX_ROOMS_STREAM_RELOAD);
        ngx_http_run_posted_requests(c);
    }
}


/*
 * A ping makes the client answer, so it comes every 30 s where a heartbeat
 * comes every 25 s.
 */
static ngx_msec_t
ngx_rooms_stream_period(ngx_rooms_stream_t *st)
{
    ngx_msec_t  period;

    period = st->rq->conf->stream_heartbeat;

    return st->transport->pings ? period + period / 5 : period;
}


static void
ngx_rooms_stream_tick(ngx_rooms_stream_t *st)
{
    ngx_msec_int_t  left, beat;

    left = (ngx_msec_int_t) (st->until - ngx_current_msec);
    beat = (ngx_msec_int_t) (st->sent + ngx_rooms_stream_period(st)
                             - ngx_current_msec);
    left = ngx_min(left, beat);

    ngx_add_timer(&st->timer, (ngx_msec_t) ngx_max(left, 1));
}


/* Sends something with each heartbeat, if only to show that we are alive. */
static ngx_int_t
ngx_rooms_stream_beat(ngx_rooms_stream_t *st)
{
    int64_t                       position;
    ngx_rooms_out_t               out;
    const ngx_rooms_transport_t  *t;

    t = st->transport;
    st->sent = ngx_current_msec;

    st->pool = ngx_create_pool(1024, ngx_cycle->log);
    if (st->pool == NULL) {
        return NGX_ERROR;
    }

    ngx_rooms_out_init(&out, st->pool);

    position = ngx_rooms_reader_reached(st->reader);

    if (position > st->last_sent && st->caught) {
        st->last_sent = position;
        t->caught_up(&out, position);
    }

    if (t->pings || out.buf == NULL) {
        rooms_json_raw(ngx_rooms_out(&out), t->beat.data, t->beat.len);
    }

    return ngx_rooms_stream_put(st, &out);
}


/* Sends something that isn't a page, while the reader waits. */
static ngx_int_t
ngx_rooms_stream_put(ngx_rooms_stream_t *st, ngx_rooms_out_t *out)
{
    ngx_int_t  rc;

    rc = ngx_rooms_stream_flat(st, out);

    ngx_destroy_pool(st->pool);
    st->pool = NULL;

    if (rc == NGX_OK) {
        rc = ngx_rooms_stream_send(st, 0);
    }

    if (rc == NGX_AGAIN) {
        /* nothing else can be sent before that */
        ngx_rooms_reader_pause(st->reader);
    }

    return rc;
}


void
ngx_rooms_stream_say(ngx_rooms_stream_t *st)
{
    ngx_int_t        rc;
    ngx_rooms_out_t  out;

    st->says = 1;

    if (!st->reader->waiting || st->busy || st->ended) {
        /* it goes with the next page, or after this one was taken */
        return;
    }

    st->says = 0;
    st->pool = ngx_create_pool(1024, ngx_cycle->log);

    if (st->pool == NULL) {
        ngx_rooms_stream_end(st, NGX_ROOMS_STREAM_FAULT);
        return;
    }

    ngx_rooms_out_init(&out, st->pool);
    st->transport->more(st, &out);

    rc = ngx_rooms_stream_put(st, &out);

    if (rc == NGX_DONE) {
        ngx_http_finalize_request(st->rq->r, NGX_ERROR);

    } else if (rc == NGX_ERROR) {
        ngx_rooms_stream_end(st, NGX_ROOMS_STREAM_FAULT);
    }
}


static void
ngx_rooms_stream_timer(ngx_event_t *ev)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_rooms_stream_t      *st;
    ngx_rooms_stream_end_e   why;

    st = ev->data;
    c = st->rq->r->connection;

    ngx_http_set_log_request(c->log, st->rq->r);

    if ((ngx_msec_int_t) (st->until - ngx_current_msec) <= 0) {
        ngx_rooms_stream_end(st, st->expires ? NGX_ROOMS_STREAM_EXPIRED
                                             : NGX_ROOMS_STREAM_LIFETIME);

    } else if (!st->reader->waiting
               || ngx_current_msec - st->sent < ngx_rooms_stream_period(st))
    {
        /* something is being sent, or was sent meanwhile */
        if (!st->reader->waiting) {
            st->sent = ngx_current_msec;
        }

        ngx_rooms_stream_tick(st);

    } else if (st->transport->pings
               && (why = st->transport->pings(st)) != NGX_ROOMS_STREAM_LIVES)
    {
        ngx_rooms_stream_end(st, why);

    } else {
        rc = ngx_rooms_stream_beat(st);

        if (rc == NGX_DONE) {
            ngx_http_finalize_request(st->rq->r, NGX_ERROR);

        } else if (rc == NGX_ERROR) {
            ngx_rooms_stream_end(st, NGX_ROOMS_STREAM_FAULT);

        } else {
            ngx_rooms_stream_tick(st);
        }
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_rooms_stream_cleanup(void *data)
{
    ngx_rooms_stream_t  *st = data;

    ngx_rooms_crowd_leave(st);

    if (st->timer.timer_set) {
        ngx_del_timer(&st->timer);
    }

    if (st->pool) {
        ngx_destroy_pool(st->pool);
    }

    ngx_rooms_text_release(st->text);
}
