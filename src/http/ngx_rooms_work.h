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
 * Work that would block the event loop: files, hashes.  It runs in NGINX's
 * thread pool "default", or, where NGINX has no threads, in slices between
 * other events.  It owns all that it touches, so it may outlive whoever
 * ordered it.
 */

typedef struct ngx_rooms_work_s  ngx_rooms_work_t;

/*
 * A slice of some ten milliseconds at most, in a thread: it uses no NGINX
 * function but those that only need their arguments.  NGX_AGAIN: there is
 * more to do; anything else becomes w->rc.  One that finds itself abandoned
 * clears up, off the event loop, and comes to an end.
 */
typedef ngx_int_t (*ngx_rooms_work_step_pt)(ngx_rooms_work_t *w);
/* On the event loop, once; it, or who waited for it, frees the work. */
typedef void (*ngx_rooms_work_done_pt)(ngx_rooms_work_t *w);

struct ngx_rooms_work_s {
    ngx_pool_t              *pool;     /* cleanups run on the event loop */
    ngx_rooms_work_step_pt   step;
    ngx_rooms_work_done_pt   done;
    void                    *data;     /* of the step, in w->pool */
    void                    *owner;    /* of done */
    ngx_int_t                rc;

    ngx_event_t              event;
#if (NGX_THREADS)
    ngx_thread_task_t       *task;
#endif
    ngx_atomic_t             abandoned;
    unsigned                 running:1;
};


/* `size` bytes of data, zeroed. */
ngx_rooms_work_t *ngx_rooms_work_create(size_t size);
/* Again once it is done, too.  `done` is called later, never from inside. */
ngx_int_t ngx_rooms_work_start(ngx_rooms_work_t *w);
/* At any time: a running step finds itself abandoned, nobody is called. */
void ngx_rooms_work_free(ngx_rooms_work_t *w);

#define ngx_rooms_work_abandoned(w)  ((w)->abandoned)

/* While the configuration is read: the pool has to exist. */
ngx_int_t ngx_rooms_work_init(ngx_conf_t *cf);

#endif /* NGX_ROOMS_WORK_H */
