/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_REQUEST_H
#define NGX_ROOMS_REQUEST_H

#include "ngx_rooms.h"
#include "ngx_rooms_error.h"
#include "ngx_rooms_apply.h"
#include "ngx_rooms_work.h"
#include "rooms_json.h"
#include <jansson.h>


#define NGX_ROOMS_BODY_MAX      (128 * 1024)
#define NGX_ROOMS_CONTENT_MAX   (64 * 1024)
#define NGX_ROOMS_RACES          16   /* then SW_CONFLICT */
#define NGX_ROOMS_RACES_HOT       3   /* then each waits a little */
#define NGX_ROOMS_TOP             2

typedef struct ngx_rooms_endpoint_s  ngx_rooms_endpoint_t;
typedef struct ngx_rooms_signer_s    ngx_rooms_signer_t;

/*
 * A step of the pipeline.  NGX_OK: done, go on; NGX_AGAIN: a batch was sent,
 * call me again when it is answered; NGX_ERROR: rq->error says what to
 * answer, SW_INTERNAL if nothing.
 */
typedef ngx_int_t (*ngx_rooms_step_pt)(ngx_rooms_req_t *rq);


/* What a row of the table may need of the pipeline. */
#define NGX_ROOMS_ADMIN       0x0001   /* a tenant administrator */
#define NGX_ROOMS_BODY        0x0002   /* a JSON object */
#define NGX_ROOMS_CREATES     0x0004   /* honours Idempotency-Key */
#define NGX_ROOMS_BULK        0x0008   /* reads by the bulk lane */
#define NGX_ROOMS_OPTIONAL    0x0010   /* the body may be missing */
#define NGX_ROOMS_UPLOAD      0x0020   /* a body of any size and kind */
#define NGX_ROOMS_IN_FILE     0x0040   /* of an upload: in one file */
#define NGX_ROOMS_ENTERS      0x0080   /* looks whether the caller is still
                                          a participant */
#define NGX_ROOMS_OPEN        0x0100   /* without a token */
#define NGX_ROOMS_PEER        0x0200   /* signed by another server */
#define NGX_ROOMS_TEXT        0x0400   /* reads the body's text by itself */
#define NGX_ROOMS_PLAIN       0x8000   /* looks at no tree where the body's
                                          text does (rooms_json_plain()) */
#define NGX_ROOMS_STREAM      0x1000   /* takes a ticket in the query */
#define NGX_ROOMS_LINK        0x2000   /* takes a signature in the query */

/* A body field: checked before anything is loaded. */
typedef struct {
    const char             *name;
    ngx_uint_t              type;      /* NGX_ROOMS_T_* */
} ngx_rooms_field_t;

#define NGX_ROOMS_T_STRING    1
#define NGX_ROOMS_T_BOOL      2
#define NGX_ROOMS_T_INT       3
#define NGX_ROOMS_T_OBJECT    4
#define NGX_ROOMS_T_ARRAY     5
#define NGX_ROOMS_T_REFUSED   6        /* ignoring it would mislead */
#define NGX_ROOMS_T_MASK      0x0f
#define NGX_ROOMS_T_REQUIRED  0x10
#define NGX_ROOMS_T_NULL      0x20     /* may be null, which is "absent" */


#define NGX_ROOMS_RECALL  3            /* round of a step that recalls, once
                                          it has asked the store */

#define NGX_ROOMS_ROWS  128            /* of the table of endpoints, at most */

/*
 * What a family's answers look like, and who may ask, where that isn't as
 * everywhere else: no token of a participant, and so nobody to be registered.
 */
typedef struct {
    ngx_str_t                 type;    /* Content-Type */
    const char               *location;     /* what is before a Location */
    ngx_rooms_step_pt         authenticate;
    /* the body of an error; data == NULL: no memory */
    rooms_str_t             (*error)(ngx_rooms_req_t *rq, ngx_pool_t *pool);
} ngx_rooms_envelope_t;


struct ngx_rooms_endpoint_s {
    ngx_uint_t                method;
    const char               *path;
    ngx_uint_t                part;
    ngx_uint_t                flags;
    rooms_op_e                op;
    ngx_rooms_step_pt         load;    /* called once a round */
    ngx_rooms_step_pt         decide;
    ngx_rooms_step_pt         show;
    const ngx_rooms_field_t  *fields;
    ngx_rooms_step_pt         take;    /* an upload: sets rq->digest */
    ngx_rooms_step_pt         refuse;  /* answers rq->error, or declines */

    /*
     * Of a row that makes its answer again from a request with the same
     * Idempotency-Key: what it needs for that, with NGX_ROOMS_POS (NULL: the
     * answer is kept); and makes it, of rq->idem_kept.
     */
    rooms_str_t             (*keep)(ngx_rooms_req_t *rq);
    ngx_rooms_step_pt         recall;
    const ngx_rooms_envelope_t  *envelope;  /* NULL: as everywhere */
};


typedef enum {
    NGX_ROOMS_START = 0,
    NGX_ROOMS_AUTH,
    NGX_ROOMS_READ_BODY,
    NGX_ROOMS_REGISTER,
    NGX_ROOMS_TAKE,                    /* the body of an upload */
    NGX_ROOMS_CLAIM,                   /* the Idempotency-Key */
    NGX_ROOMS_NAMES,                   /* aliases and fqids become ids */
    NGX_ROOMS_LOAD,
    NGX_ROOMS_DECIDE,
    NGX_ROOMS_COMMIT,
    NGX_ROOMS_SHOW,
    NGX_ROOMS_DONE
} ngx_rooms_state_e;


/* Path parameters. */
typedef enum {
    NGX_ROOMS_P_ROOM = 0,
    NGX_ROOMS_P_PARTICIPANT,
    NGX_ROOMS_P_WORKSPACE,
    NGX_ROOMS_P_EVENT,
    NGX_ROOMS_P_MEDIA,
    NGX_ROOMS_P_LOCAL,
    NGX_ROOMS_P_SERVER,
    NGX_ROOMS_P_ALIAS,
    NGX_ROOMS_P_MAX
} ngx_rooms_param_e;


/* A growing response: a chain of buffers, written through rooms_buf_t. */
typedef struct {
    ngx_pool_t               *pool;
    ngx_chain_t              *first;
    ngx_chain_t             **next;
    ngx_buf_t                *buf;
    rooms_buf_t               b;
    size_t                    size;    /* of what is in closed buffers */
    ngx_array_t              *imported;   /* events that lack authors */
    unsigned                  failed:1;
} ngx_rooms_out_t;


/* What is known of a room to one caller. */
typedef struct {
    rooms_room_t              room;
    rooms_member_t            me;
    ngx_rooms_own_t           own;
    ngx_rooms_mode_e          usual;   /* what "inherit" refers to */
    int64_t                   unread;
    rooms_str_t               name;    /* as this viewer sees it */
    rooms_member_t            top[NGX_ROOMS_TOP];
    ngx_uint_t                ntop;
    unsigned                  exists:1;
} ngx_rooms_view_t;


struct ngx_rooms_req_s {
    ngx_http_request_t          *r;
    ngx_pool_t                  *pool;
    ngx_rooms_loc_conf_t        *conf;
    const ngx_rooms_endpoint_t  *endpoint;
    ngx_str_t                    allow;        /* methods of the path */

    /*
     * A request that holds several, each of which is a request to a row of its
     * own: `endpoint` is that of the one at work.  on_error may return
     * NGX_DECLINED: the next one.
     */
    const ngx_rooms_endpoint_t  *enclosing;    /* NULL: it holds none */
    void                        *parts;        /* of the enclosing row */
    ngx_rooms_step_pt            on_error;
    rooms_str_t                  source_id;    /* the event, elsewhere */
    rooms_str_t                  source_server;
    int64_t                      source_at;    /* ms */
    rooms_str_t                  param[NGX_ROOMS_P_MAX];

    ngx_rooms_state_e            state;
    ngx_uint_t                   round;        /* of the current step */
    ngx_uint_t                   races;
    ngx_uint_t                   moves;        /* followed in a cluster */
    ngx_event_t                  timer;        /* deadline of the store */
    ngx_rooms_batch_t           *batch;        /* in flight or answered */
    ngx_queue_t                  batches;      /* kept for what they hold */
    ngx_msec_t                   asked;        /* when batch was sent */
    ngx_msec_t                   deadline;     /* of one that goes again */
    ngx_msec_t                   store_time;
    ngx_msec_t                   started;
    uint64_t                     began;        /* us, of ngx_rooms_usec() */
    uint64_t                     asked_at;     /* us */
    ngx_uint_t                   doing;        /* an ngx_rooms_gauge_e */

    rooms_principal_t            principal;
    ngx_rooms_signer_t          *signer;       /* another server */
    ngx_rooms_keys_t             keys;
    int64_t                      now;          /* ms */

    ngx_str_t                    text;         /* the body */
    json_t                      *body;
    rooms_str_t                  digest;       /* of what was uploaded */
    ngx_rooms_work_t            *work;         /* under way, or done */

    rooms_str_t                  idem_key;     /* of the store */
    rooms_str_t                  idem_id;      /* of caller and key */
    rooms_str_t                  idem_claim;   /* our value in it */
    rooms_str_t                  idem_hash;
    uint64_t                     cached;       /* ngx_rooms_cache_put() */
    ngx_event_t                  idem_timer;   /* makes the claim longer */
    ngx_uint_t                   idem_guard;   /* number of the claim's */
    rooms_str_t                  idem_answer;  /* with NGX_ROOMS_POS; or
                                                  NULL: it is shown */
    rooms_str_t                  idem_kept;    /* instead of an answer */
    rooms_str_t                  named;        /* a participant whose name is
                                                  in the answer, or NULL */

    ngx_uint_t                   committing;   /* has something to commit */
    int64_t                      position;     /* of the event */
    u_char                       random[16];   /* hex, of the event's id */

    ngx_rooms_batch_t           *asked_batch;  /* that loaded the view */
    ngx_uint_t                   at_view;      /* first reply of each load */
    ngx_rooms_mode_e             usual;        /* the caller's default */
    ngx_uint_t                   at_usual;     /* its reply */
    ngx_uint_t                   at_targets;
    ngx_uint_t                   at_locals;    /* of unknown targets */
    ngx_uint_t                   at_top;
    ngx_uint_t                   at_tenant;
    ngx_uint_t                   at_workspace;
    ngx_uint_t                   at_own;       /* of the endpoint's own */
    rooms_target_t              *targets;
    ngx_rooms_profile_t         *profiles;     /* of the targets */
    ngx_uint_t                   ntargets;
    rooms_change_t              *change;
    uint32_t                     max_participants;
    int64_t                      max_rooms;
    rooms_op_e                   op;           /* the row's, or narrower */
    ngx_rooms_step_pt            ask;          /* more commands of a round */
    void                        *data;         /* of the endpoint */

    ngx_uint_t                   refusal;      /* of the token: a code */
    const char                  *refusal_why;  /* the check that failed */
    ngx_uint_t                   undecided;    /* by these keys: 1 + their
                                                  generation */

    ngx_uint_t                   error;
    rooms_str_t                  message;
    rooms_str_t                  error_field;
    rooms_str_t                  error_problem;
    ngx_uint_t                   retry_after;  /* s, 0: none */

    ngx_uint_t                   status;
    rooms_str_t                  location;
    rooms_str_t                  etag;
    ngx_rooms_out_t              out;
    void                       (*answer)(ngx_rooms_req_t *rq);  /* no JSON */
    /* what such an answer does with the store's replies; rc: NGX_ERROR, too */
    void                       (*resume)(ngx_rooms_req_t *rq, ngx_int_t rc);

    unsigned                     plain:1;      /* the body, no tree of it */
    unsigned                     trusted:1;    /* decided elsewhere */
    unsigned                     dry_run:1;    /* writes nothing */
    unsigned                     imported:1;   /* the room that is made */
    unsigned                     authenticated:1;
    unsigned                     tenant_full:1;
    unsigned                     running:1;
    unsigned                     waiting:1;    /* for a batch */
    unsigned                     pausing:1;
    unsigned                     paused:1;
    unsigned                     resolving:1;  /* a lost commit */
    unsigned                     reclaim:1;    /* the claim has expired */
    unsigned                     partly:1;     /* may have written by now */
    unsigned                     sure:1;       /* the batch ends with WAIT */
    unsigned                     whole:1;      /* send the script's text */
    unsigned                     sent:1;
    unsigned                     replayed:1;
    unsigned                     replaced:1;   /* NGINX's page by ours */
    unsigned                     pooled:1;     /* this, in r->pool */

    /* what a stream gives back, ngx_rooms_req_trim(): these are the last */
    ngx_rooms_profile_t          profile;      /* the caller's */
    ngx_rooms_commit_t           commit;
    ngx_rooms_view_t             view;
    rooms_input_t                in;
};


/* The request's own state, made on first use; NULL: no memory. */
ngx_rooms_req_t *ngx_rooms_req(ngx_http_request_t *r);

/*
 * Of an answer that goes on for long, when no batch is left: gives back what
 * is for changes.  Where the state is from now on.
 */
ngx_rooms_req_t *ngx_rooms_req_trim(ngx_rooms_req_t *rq);

/* Runs the pipeline (ngx_rooms_pipeline.c) until it has to wait. */
void ngx_rooms_run(ngx_rooms_req_t *rq);

/* Finds the row and the path's parameters. */
void ngx_rooms_route(ngx_rooms_req_t *rq);
/* Sets rq->allow to the methods of its path; NGX_DECLINED: it has none. */
ngx_int_t ngx_rooms_route_allow(ngx_rooms_req_t *rq);
ngx_uint_t ngx_rooms_endpoint_index(const ngx_rooms_endpoint_t *e);

/* What a request of a row costs, in one word: $rooms_class.  e: NULL: none. */
const char *ngx_rooms_endpoint_class(const ngx_rooms_endpoint_t *e);

/*
 * The table of endpoints: rows of all families, one behind the other, up to
 * one without a path.  NGX_ERROR: there are too many.
 */
extern const ngx_rooms_endpoint_t  *ngx_rooms_endpoints;
ngx_int_t ngx_rooms_route_init(ngx_conf_t *cf);

/*
 * What the module (ngx_rooms_module.c) knows of the features, so that the
 * pipeline needs none of them: the families' rows, each up to one without a
 * path; and what is done in a step, or when something has happened.
 */
extern const ngx_rooms_endpoint_t  *const ngx_rooms_families[];

typedef struct {
    ngx_rooms_step_pt   authenticate;      /* who asks */
    ngx_rooms_step_pt   authenticate_now;  /* the same, without waiting */
    ngx_rooms_step_pt   enter;             /* a participant, after the body */
    ngx_rooms_step_pt   authenticate_peer; /* of rows with NGX_ROOMS_PEER */
    ngx_rooms_step_pt   enter_peer;
    /* a commit has put something into an outbox */
    void              (*posted)(ngx_rooms_loc_conf_t *conf);
} ngx_rooms_hooks_t;

extern const ngx_rooms_hooks_t  ngx_rooms_hooks;

/* Sets the error and returns NGX_ERROR. */
ngx_int_t ngx_rooms_fail(ngx_rooms_req_t *rq, ngx_uint_t code,
    const char *message);
/* SW_TENANT_CAPACITY, naming the quota. */
ngx_int_t ngx_rooms_full(ngx_rooms_req_t *rq, ngx_rooms_quota_e quota);
/* SW_VALIDATION_FAILED, naming the field. */
ngx_int_t ngx_rooms_invalid(ngx_rooms_req_t *rq, const char *field,
    const char *problem);

/*
 * Talking to the store (ngx_rooms_request_wait.c): a fresh batch in
 * rq->batch, its sending, and what came back.  After ngx_rooms_send() a step
 * returns NGX_AGAIN.
 */
ngx_rooms_batch_t *ngx_rooms_batch(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_send(ngx_rooms_req_t *rq);
/*
 * As ngx_rooms_send(); with rooms_redis_wait the replicas are waited for, and
 * ngx_rooms_is_sure() says whether as many as are wanted have confirmed.
 */
ngx_int_t ngx_rooms_send_sure(ngx_rooms_req_t *rq);
ngx_uint_t ngx_rooms_is_sure(ngx_rooms_req_t *rq);
redisReply *ngx_rooms_reply(ngx_rooms_req_t *rq, ngx_uint_t n);
/* rq->timer's: the answer is late, or it is time to ask again. */
void ngx_rooms_send_timeout(ngx_event_t *ev);
/* 503, and what became of a change; as ngx_rooms_fail(). */
ngx_int_t ngx_rooms_fail_store(ngx_rooms_req_t *rq,
    ngx_rooms_batch_status_e status);
/* 503: NGINX has no room for the body; as ngx_rooms_fail(). */
ngx_int_t ngx_rooms_fail_body(ngx_rooms_req_t *rq);
/* 503 or 500, as the errno has it; as ngx_rooms_fail(). */
ngx_int_t ngx_rooms_fail_disk(ngx_rooms_req_t *rq, ngx_err_t err);
/* Frees all batches, and with them all that was read. */
void ngx_rooms_forget(ngx_rooms_req_t *rq);
/* A step that returned NGX_AGAIN without a batch is called again. */
void ngx_rooms_continue(ngx_rooms_req_t *rq);
/* NGX_AGAIN: its step is called again after so many milliseconds. */
ngx_int_t ngx_rooms_pause(ngx_rooms_req_t *rq, ngx_msec_t delay);

/*
 * What several requests wait for, as keys that are being fetched: they stand
 * in a queue.  NGX_AGAIN: the calling step is called again once the queue is
 * woken, or after so many milliseconds; a request that ends leaves the queue.
 */
ngx_int_t ngx_rooms_wait_in(ngx_rooms_req_t *rq, ngx_queue_t *waiters,
    ngx_msec_t wait);
/* All of them go on, in the next turn of the event loop. */
void ngx_rooms_wake_all(ngx_queue_t *waiters);
/* Their steps begin anew when they go on. */
void ngx_rooms_wait_anew(ngx_queue_t *waiters);

/*
 * Work in a thread: its step is done when the calling step, which returns
 * NGX_AGAIN, is called again.  It is freed with the request.
 */
ngx_int_t ngx_rooms_wait_work(ngx_rooms_req_t *rq, ngx_rooms_work_t *w);

/* Starts a commit with nothing in it. */
ngx_int_t ngx_rooms_begin(ngx_rooms_req_t *rq);

/* Decodes the body; called when all of it is here. */
ngx_int_t ngx_rooms_body_parse(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_body_read(ngx_rooms_req_t *rq);

/* Body fields, after their types were checked; absent: NULL, otherwise. */
json_t *ngx_rooms_body_get(ngx_rooms_req_t *rq, const char *name);
rooms_str_t ngx_rooms_body_str(ngx_rooms_req_t *rq, const char *name);
ngx_int_t ngx_rooms_body_bool(ngx_rooms_req_t *rq, const char *name,
    ngx_int_t otherwise);

/* Query arguments, decoded: NGX_DECLINED if absent or empty. */
ngx_int_t ngx_rooms_arg(ngx_rooms_req_t *rq, const char *name,
    rooms_str_t *value);
/* An integer between 1 (or 0) and max: fails, naming the argument. */
ngx_int_t ngx_rooms_arg_int(ngx_rooms_req_t *rq, const char *name,
    int64_t min, int64_t max, int64_t otherwise, int64_t *value);

/* A time, in ms: NGX_DECLINED if absent; NGX_ERROR: the answer is set. */
ngx_int_t ngx_rooms_arg_time(ngx_rooms_req_t *rq, const char *name,
    int64_t *ms);

/* Opaque cursors: a kind and a value of it. */
rooms_str_t ngx_rooms_cursor(ngx_pool_t *pool, u_char kind, rooms_str_t value);
/* NGX_DECLINED: absent; NGX_ERROR: the answer is set. */
ngx_int_t ngx_rooms_arg_cursor(ngx_rooms_req_t *rq, const char *name,
    u_char kind, rooms_str_t *value);

/* A step: names in path and body (ngx_rooms_names.c). */
ngx_int_t ngx_rooms_names(ngx_rooms_req_t *rq);

/* Idempotency-Key. */
ngx_int_t ngx_rooms_claim(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_claim_record(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_claim_answer(ngx_rooms_req_t *rq);
/* For a row's recall: this is the answer. */
ngx_int_t ngx_rooms_claim_again(ngx_rooms_req_t *rq, rooms_str_t body);
void ngx_rooms_claim_end(ngx_rooms_req_t *rq);
void ngx_rooms_claim_release(ngx_rooms_req_t *rq);

/*
 * Where an answer is written before its commit, this position stands for the
 * one that the commit will give; it is written as NGX_ROOMS_POS.
 */
#define NGX_ROOMS_POSITION_LATER  (-1)
void ngx_rooms_put_position(rooms_buf_t *b, int64_t position);

/* Output. */
void ngx_rooms_out_init(ngx_rooms_out_t *out, ngx_pool_t *pool);
/* A buffer with room for `size` bytes; always usable, `failed` says more. */
rooms_buf_t *ngx_rooms_out(ngx_rooms_out_t *out, size_t size);
/*
 * Adds bytes that live as long as the request, without copying long ones.
 * Who wrote an event, if it was imported, is asked for when all has been
 * shown (ngx_rooms_authors.c).
 */
void ngx_rooms_out_ref(ngx_rooms_out_t *out, rooms_str_t s);
ngx_buf_t *ngx_rooms_out_place(ngx_rooms_out_t *out, rooms_str_t s);
/* What is added is an imported event: its authors are still to come. */
ngx_int_t ngx_rooms_out_imported(ngx_rooms_out_t *out, rooms_str_t event);
ngx_int_t ngx_rooms_authors_ask(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_authors_take(ngx_rooms_req_t *rq);
/* All of it in one piece (for what is written before it is sent). */
rooms_str_t ngx_rooms_out_flat(ngx_rooms_out_t *out);
void ngx_rooms_out_close(ngx_rooms_out_t *out);

void ngx_rooms_respond(ngx_rooms_req_t *rq);
void ngx_rooms_respond_error(ngx_rooms_req_t *rq);
rooms_str_t ngx_rooms_error_body(ngx_rooms_req_t *rq, ngx_pool_t *pool,
    rooms_str_t request_id);
/* When to try again, and that nothing was changed; before the body. */
void ngx_rooms_error_complete(ngx_rooms_req_t *rq);
void ngx_rooms_retry_after(ngx_rooms_req_t *rq);
rooms_str_t ngx_rooms_request_id(ngx_http_request_t *r);
ngx_int_t ngx_rooms_header(ngx_http_request_t *r, const char *key,
    rooms_str_t value);
ngx_int_t ngx_rooms_etag(ngx_rooms_req_t *rq);
/* "Cache-Control: no-store", of every JSON answer. */
ngx_int_t ngx_rooms_no_store(ngx_http_request_t *r);
rooms_str_t ngx_rooms_header_in(ngx_http_request_t *r, const char *name);

/* A new id; NULL: no memory. */
rooms_str_t ngx_rooms_id(ngx_rooms_req_t *rq, const char *prefix);

#endif /* NGX_ROOMS_REQUEST_H */
