/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_work.h"
#include "ngx_rooms_hold.h"


static void ngx_rooms_work_end(ngx_rooms_work_t *w);
static void ngx_rooms_work_slice(ngx_event_t *ev);

#if (NGX_THREADS)
static void ngx_rooms_work_thread(void *data, ngx_log_t *log);
static void ngx_rooms_work_thread_end(ngx_event_t *ev);
#endif


ngx_int_t
ngx_rooms_work_init(ngx_conf_t *cf)
{
#if (NGX_THREADS)

    if (ngx_thread_pool_add(cf, NULL) == NULL) {
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


ngx_rooms_work_t *
ngx_rooms_work_create(size_t size)
{
    ngx_pool_t        *pool;
    ngx_rooms_work_t  *w;

    /* a request's log may not live as long */

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    w = ngx_pcalloc(pool, sizeof(ngx_rooms_work_t));
    if (w == NULL) {
        goto failed;
    }

    w->pool = pool;
    w->data = ngx_pcalloc(pool, size);

    if (w->data == NULL) {
        goto failed;
    }

    w->event.data = w;
    w->event.log = pool->log;
    w->event.handler = ngx_rooms_work_slice;

    return w;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


ngx_int_t
ngx_rooms_work_start(ngx_rooms_work_t *w)
{
#if (NGX_THREADS)

    ngx_str_t           name = ngx_string("default");
    ngx_thread_pool_t  *tp;

    tp = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle, &name);

    if (tp) {
        if (w->task == NULL) {
            w->task = ngx_thread_task_alloc(w->pool, 0);
            if (w->task == NULL) {
                return NGX_ERROR;
            }
        }

        w->task->ctx = w;
        w->task->handler = ngx_rooms_work_thread;
        w->task->event.data = w;
        w->task->event.log = w->pool->log;
        w->task->event.handler = ngx_rooms_work_thread_end;

        if (ngx_thread_task_post(tp, w->task) != NGX_OK) {
            return NGX_ERROR;
        }

        w->running = 1;
        ngx_rooms_hold();

        return NGX_OK;
    }

#endif

    w->running = 1;
    ngx_rooms_hold();
    ngx_post_event(&w->event, &ngx_posted_next_events);

    return NGX_OK;
}


void
ngx_rooms_work_free(ngx_rooms_work_t *w)
{
    w->done = NULL;
    w->abandoned = 1;

    if (!w->running) {
        ngx_destroy_pool(w->pool);
    }
}


static void
ngx_rooms_work_end(ngx_rooms_work_t *w)
{
    w->running = 0;

    ngx_rooms_release();

    if (w->done) {
        w->done(w);
        return;
    }

    ngx_destroy_pool(w->pool);
}


static void
ngx_rooms_work_slice(ngx_event_t *ev)
{
    ngx_rooms_work_t  *w;

    w = ev->data;

    w->rc = w->step(w);

    if (w->rc == NGX_AGAIN) {
        ngx_post_event(&w->event, &ngx_posted_next_events);
        return;
    }

    ngx_rooms_work_end(w);
}


#if (NGX_THREADS)

static void
ngx_rooms_work_thread(void *data, ngx_log_t *log)
{
    ngx_rooms_work_t  *w = data;

    do {
        w->rc = w->step(w);
    } while (w->rc == NGX_AGAIN);
}


static void
ngx_rooms_work_thread_end(ngx_event_t *ev)
{
    ngx_rooms_work_end(ev->data);
}

#endif
