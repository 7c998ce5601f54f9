/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_WORK_H
#define NGX_ROOMS_WORK_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif


/*
 * Work that would block the event loop, such as files and hashes.  It runs in
 * NGINX's thread pool "default", or, if NGINX has no threads, in slices
 * between other events.  It owns all that it uses, so it may outlive whoever
 * started it.
 */

typedef struct ngx_rooms_work_s  ngx_rooms_work_t;

/*
 * One slice, of about ten milliseconds at most.  It may run in a thread, so
 * it only uses NGINX functions that touch nothing but their arguments.
 * NGX_AGAIN: there is more to do; anything else becomes w->rc.  If
 * ngx_rooms_work_abandoned(), it cleans up, still off the event loop, and
 * ends.
 */
typedef ngx_int_t (*ngx_rooms_work_step_pt)(ngx_rooms_work_t *w);
/* Called once, on the event loop.  Whoever waits for the work frees it. */
typedef void (*ngx_rooms_work_done_pt)(ngx_rooms_work_t *w);

struct ngx_rooms_work_s {
    ngx_pool_t              *pool;     /* cleanups run on the event loop */
    ngx_rooms_work_step_pt   step;
    ngx_rooms_work_done_pt   done;
    void                    *data;     /* the step's data, in w->pool */
    void                    *owner;    /* data of `done` */
    ngx_int_t                rc;

    ngx_event_t              event;
#if (NGX_THREADS)
    ngx_thread_task_t       *task;
#endif
    ngx_atomic_t             abandoned;
    unsigned                 running:1;
};


/* Makes work with `size` zeroed bytes of data. */
ngx_rooms_work_t *ngx_rooms_work_create(size_t size);
/*
 * Starts it; once it is done, it may be started again. `done` is never called
 * from within this call.
 */
ngx_int_t ngx_rooms_work_start(ngx_rooms_work_t *w);
/*
 * May be called at any time.  A running step finds itself abandoned, and
 * `done` isn't called.
 */
void ngx_rooms_work_free(ngx_rooms_work_t *w);

#define ngx_rooms_work_abandoned(w)  ((w)->abandoned)

/* Called while the configuration is read, so that the thread pool exists. */
ngx_int_t ngx_rooms_work_init(ngx_conf_t *cf);

#endif /* NGX_ROOMS_WORK_H */
