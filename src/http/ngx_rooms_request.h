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
#define NGX_ROOMS_RACES          16   /* lost races; then SW_CONFLICT */
#define NGX_ROOMS_RACES_HOT       3   /* after these a request waits a little */
#define NGX_ROOMS_TOP             2

typedef struct ngx_rooms_endpoint_s  ngx_rooms_endpoint_t;
typedef struct ngx_rooms_signer_s    ngx_rooms_signer_t;

/*
 * A step of the pipeline.  NGX_OK: done, go on.  NGX_AGAIN: it waits; it is
 * called again when its batch is answered.  NGX_ERROR: rq->error says what to
 * answer (SW_INTERNAL if it isn't set).
 */
typedef ngx_int_t (*ngx_rooms_step_pt)(ngx_rooms_req_t *rq);


/* Flags: what a row of the table needs of the pipeline. */
#define NGX_ROOMS_ADMIN       0x0001   /* needs a tenant administrator */
#define NGX_ROOMS_BODY        0x0002   /* a JSON object */
#define NGX_ROOMS_CREATES     0x0004   /* honours Idempotency-Key */
#define NGX_ROOMS_BULK        0x0008   /* reads over the bulk lane */
#define NGX_ROOMS_OPTIONAL    0x0010   /* the body may be missing */
#define NGX_ROOMS_UPLOAD      0x0020   /* takes a body of any size and kind */
#define NGX_ROOMS_IN_FILE     0x0040   /* an upload's body goes to one file */
#define NGX_ROOMS_ENTERS      0x0080   /* checks in the store that the caller
                                          is still a participant */
#define NGX_ROOMS_JOINS       0x0800   /* guards that in its commit */
#define NGX_ROOMS_OPEN        0x0100   /* needs no token */
#define NGX_ROOMS_PEER        0x0200   /* signed by another server */
#define NGX_ROOMS_TEXT        0x0400   /* parses the body's text itself */
#define NGX_ROOMS_PLAIN       0x8000   /* uses the body's text without a
                                          tree, if the text is plain
                                          (rooms_json_plain()) */
#define NGX_ROOMS_STREAM      0x1000   /* accepts a ticket in the query */
#define NGX_ROOMS_LINK        0x2000   /* accepts a signature in the query */

/* A field of the body, checked before anything is loaded. */
typedef struct {
    const char             *name;
    ngx_uint_t              type;      /* NGX_ROOMS_T_* */
} ngx_rooms_field_t;

#define NGX_ROOMS_T_STRING    1
#define NGX_ROOMS_T_BOOL      2
#define NGX_ROOMS_T_INT       3
#define NGX_ROOMS_T_OBJECT    4
#define NGX_ROOMS_T_ARRAY     5
#define NGX_ROOMS_T_REFUSED   6        /* refused: ignoring it would mislead */
#define NGX_ROOMS_T_MASK      0x0f
#define NGX_ROOMS_T_REQUIRED  0x10
#define NGX_ROOMS_T_NULL      0x20     /* may be null, which counts as absent */


#define NGX_ROOMS_RECALL  3            /* the round of `recall` after its
                                          first question to the store */

#define NGX_ROOMS_ROWS  128            /* the most rows of the table */

/*
 * For families of rows whose answers and authentication differ from the rest:
 * they take no participant's token, so nobody is registered.
 */
typedef struct {
    ngx_str_t                 type;    /* Content-Type */
    const char               *location;     /* prefix of a Location */
    ngx_rooms_step_pt         authenticate;
    /* the body of an error; data == NULL: out of memory */
    rooms_str_t             (*error)(ngx_rooms_req_t *rq, ngx_pool_t *pool);
} ngx_rooms_envelope_t;


struct ngx_rooms_endpoint_s {
    ngx_uint_t                method;
    const char               *path;
    ngx_uint_t                part;
    ngx_uint_t                flags;
    rooms_op_e                op;
    ngx_rooms_step_pt         load;    /* called once in each round */
    ngx_rooms_step_pt         decide;
    ngx_rooms_step_pt         show;
    const ngx_rooms_field_t  *fields;
    ngx_rooms_step_pt         take;    /* an upload: sets rq->digest */
    ngx_rooms_step_pt         refuse;  /* answers rq->error itself, or
                                          declines */

    /*
     * For rows that can make their answer again when an Idempotency-Key is
     * used again. `keep` returns what is stored for that, with NGX_ROOMS_POS
     * for the position (NULL: store the answer itself). `recall` makes the
     * answer from rq->idem_kept.
     */
    rooms_str_t             (*keep)(ngx_rooms_req_t *rq);
    ngx_rooms_step_pt         recall;

    /*
     * Whether the next step that asks the store is the commit, because the row
     * decides on what this worker remembers.  Then the key isn't claimed
     * first.
     */
    ngx_uint_t              (*proposes)(ngx_rooms_req_t *rq);
    const ngx_rooms_envelope_t  *envelope;  /* NULL: the usual one */
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


/*
 * A growing response: a chain of buffers that are written through
 * rooms_buf_t.
 */
typedef struct {
    ngx_pool_t               *pool;
    ngx_chain_t              *first;
    ngx_chain_t             **next;
    ngx_buf_t                *buf;
    rooms_buf_t               b;
    size_t                    size;    /* bytes in closed buffers */
    size_t                    rest;    /* unused memory of the last of them */
    ngx_array_t              *imported;   /* events whose authors are missing */
    unsigned                  failed:1;
} ngx_rooms_out_t;


/* What is known about a room for one caller. */
typedef struct {
    rooms_room_t              room;
    rooms_member_t            me;
    ngx_rooms_own_t           own;
    ngx_rooms_mode_e          usual;   /* what "inherit" means for the caller */
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
    ngx_str_t                    allow;        /* methods that the path has */

    /*
     * For a request that contains several others (an import's events, a
     * federation request): `endpoint` is the row of the current one. on_error
     * may return NGX_DECLINED to go on with the next one.
     */
    const ngx_rooms_endpoint_t  *enclosing;    /* its own row; NULL: it
                                                  contains none */
    void                        *parts;        /* of the enclosing row */
    ngx_rooms_step_pt            on_error;
    rooms_str_t                  source_id;    /* the event's id on its own
                                                  server */
    rooms_str_t                  source_server;
    int64_t                      source_at;    /* ms */
    rooms_str_t                  param[NGX_ROOMS_P_MAX];

    ngx_rooms_state_e            state;
    ngx_uint_t                   round;        /* of the current step */
    ngx_uint_t                   races;
    ngx_event_t                  timer;        /* deadline of the store */
    ngx_rooms_batch_t           *batch;        /* in flight or answered */
    ngx_queue_t                  batches;      /* older batches: values point
                                                  into them */
    ngx_msec_t                   asked;        /* when batch was sent */
    ngx_msec_t                   deadline;     /* of a batch that is sent
                                                  again */
    ngx_msec_t                   store_time;
    ngx_msec_t                   started;
    uint64_t                     began;        /* us, of ngx_rooms_usec() */
    uint64_t                     asked_at;     /* us */
    ngx_uint_t                   doing;        /* the gauge that counts it */

    rooms_principal_t            principal;
    ngx_rooms_signer_t          *signer;       /* the server that signed it,
                                                  or NULL */
    ngx_rooms_keys_t             keys;
    int64_t                      now;          /* ms */

    ngx_str_t                    text;         /* the body's text */
    json_t                      *body;
    rooms_str_t                  digest;       /* of an uploaded body */
    ngx_rooms_work_t            *work;         /* under way, or done */

    rooms_str_t                  idem_key;     /* key of the claim in the
                                                  store */
    rooms_str_t                  idem_id;      /* hash of caller and
                                                  Idempotency-Key */
    rooms_str_t                  idem_claim;   /* our claim; NULL: none */
    rooms_str_t                  idem_hash;
    uint64_t                     cached;       /* ticket of the worker's
                                                  cache; 0: none */
    rooms_str_t                  kept;         /* the answer that it has, or
                                                  NULL */
    ngx_event_t                  idem_timer;   /* renews the claim */
    ngx_uint_t                   idem_guard;   /* number of the guard on the
                                                  claim */
    rooms_str_t                  idem_answer;  /* the recorded answer, with
                                                  NGX_ROOMS_POS; NULL: `show`
                                                  makes it */
    rooms_str_t                  idem_kept;    /* what `keep` stored */
    rooms_str_t                  named;        /* a participant whose name is
                                                  in the answer, or NULL */

    ngx_uint_t                   committing;   /* there is something to
                                                  commit */
    int64_t                      position;     /* of the event */
    u_char                       random[16];   /* hex digits for the event's
                                                  id */

    ngx_rooms_batch_t           *asked_batch;  /* the batch that loaded the
                                                  view */
    ngx_uint_t                   at_view;      /* first reply of each load */
    ngx_rooms_mode_e             usual;        /* the caller's default */
    ngx_uint_t                   at_usual;     /* its reply */
    ngx_uint_t                   at_targets;
    ngx_uint_t                   at_locals;    /* for targets that aren't
                                                  known */
    ngx_uint_t                   at_top;
    ngx_uint_t                   at_tenant;
    ngx_uint_t                   at_workspace;
    ngx_uint_t                   at_own;       /* replies of the endpoint's
                                                  own */
    rooms_target_t              *targets;
    ngx_rooms_profile_t         *profiles;     /* of the targets */
    ngx_uint_t                   ntargets;
    rooms_change_t              *change;
    uint32_t                     max_participants;
    int64_t                      max_rooms;
    rooms_op_e                   op;           /* the row's, or a narrower
                                                  one */
    ngx_rooms_step_pt            ask;          /* adds commands to a round */
    void                        *data;         /* the endpoint's own data */

    ngx_uint_t                   refusal;      /* why the token is refused: a
                                                  code */
    const char                  *refusal_why;  /* the check that failed */
    ngx_uint_t                   undecided;    /* these keys can't decide; 1
                                                  + generation */

    ngx_uint_t                   error;
    rooms_str_t                  message;
    rooms_str_t                  error_field;
    rooms_str_t                  error_problem;
    ngx_uint_t                   retry_after;  /* s, 0: none */

    ngx_uint_t                   status;
    rooms_str_t                  location;
    rooms_str_t                  etag;
    ngx_rooms_out_t              out;
    void                       (*answer)(ngx_rooms_req_t *rq);  /* sends an
                                                                   answer
                                                                   that isn't
                                                                   JSON */
    /*
     * called with the store's replies for such an answer; rc may be NGX_ERROR
     */
    void                       (*resume)(ngx_rooms_req_t *rq, ngx_int_t rc);

    unsigned                     plain:1;      /* the body has no tree */
    unsigned                     trusted:1;    /* another server has decided
                                                  this */
    unsigned                     dry_run:1;    /* check only, write nothing */
    unsigned                     imported:1;   /* the room being created is
                                                  imported */
    unsigned                     authenticated:1;
    unsigned                     tenant_full:1;
    unsigned                     running:1;
    unsigned                     waiting:1;    /* for a batch */
    unsigned                     pausing:1;
    unsigned                     paused:1;
    unsigned                     resolving:1;  /* looking for what became of
                                                  a commit */
    unsigned                     reclaim:1;    /* the claim has expired */
    unsigned                     remembered:1; /* the caller is a participant,
                                                  as far as the worker knows */
    unsigned                     reenter:1;    /* the store has to be asked */
    unsigned                     unclaimed:1;  /* the commit guards that the
                                                  key is free */
    unsigned                     partly:1;     /* something may have been
                                                  written */
    unsigned                     sure:1;       /* the batch ends with WAIT */
    unsigned                     sent:1;
    unsigned                     replayed:1;
    unsigned                     replaced:1;   /* replaces NGINX's page by
                                                  ours */
    unsigned                     pooled:1;     /* this structure is in
                                                  r->pool */

    /* from here on a stream frees it all, see ngx_rooms_req_trim() */
    ngx_rooms_profile_t          profile;      /* the caller's */
    ngx_rooms_commit_t           commit;
    ngx_rooms_view_t             view;
    rooms_input_t                in;
};


/* The request's state, created on first use; NULL: out of memory. */
ngx_rooms_req_t *ngx_rooms_req(ngx_http_request_t *r);

/*
 * For a long answer, once it has no batch: frees what only changes need.
 * Returns the new place of the state.
 */
ngx_rooms_req_t *ngx_rooms_req_trim(ngx_rooms_req_t *rq);

/* Runs the pipeline (ngx_rooms_pipeline.c) until it has to wait. */
void ngx_rooms_run(ngx_rooms_req_t *rq);

/* Finds the row and the path's parameters, sets rq->endpoint. */
void ngx_rooms_route(ngx_rooms_req_t *rq);
/*
 * Sets rq->allow to the methods of the path; NGX_DECLINED: there is no such
 * path.
 */
ngx_int_t ngx_rooms_route_allow(ngx_rooms_req_t *rq);
ngx_uint_t ngx_rooms_endpoint_index(const ngx_rooms_endpoint_t *e);

/* The class of a row's cost, in one word: $rooms_class.  NULL: "none". */
const char *ngx_rooms_endpoint_class(const ngx_rooms_endpoint_t *e);

/*
 * The table of endpoints: the rows of all families, up to a row without a
 * path.  NGX_ERROR: there are too many.
 */
extern const ngx_rooms_endpoint_t  *ngx_rooms_endpoints;
ngx_int_t ngx_rooms_route_init(ngx_conf_t *cf);

/*
 * What the module (ngx_rooms_module.c) tells the pipeline about the features,
 * so that the pipeline includes none of them: the families' rows, each list
 * up to a row without a path; and hooks.
 */
extern const ngx_rooms_endpoint_t  *const ngx_rooms_families[];

typedef struct {
    ngx_rooms_step_pt   authenticate;      /* who asks */
    ngx_rooms_step_pt   authenticate_now;  /* the same, without waiting */
    ngx_rooms_step_pt   enter;             /* after the body: as a
                                              participant */
    ngx_rooms_step_pt   authenticate_peer; /* for rows with NGX_ROOMS_PEER */
    ngx_rooms_step_pt   enter_peer;
    /* a commit has written to an outbox */
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
 * Asking the store (ngx_rooms_request_wait.c): a new batch in rq->batch,
 * sending it, and its replies.  A step returns NGX_AGAIN after
 * ngx_rooms_send().
 */
ngx_rooms_batch_t *ngx_rooms_batch(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_send(ngx_rooms_req_t *rq);
/* The same; its step then finds this number in rq->round. */
ngx_int_t ngx_rooms_send_round(ngx_rooms_req_t *rq, ngx_uint_t round);
/*
 * As ngx_rooms_send(), but with rooms_redis_wait it also waits for replicas.
 * ngx_rooms_is_sure() says whether enough of them have confirmed.
 */
ngx_int_t ngx_rooms_send_sure(ngx_rooms_req_t *rq);
ngx_uint_t ngx_rooms_is_sure(ngx_rooms_req_t *rq);
redisReply *ngx_rooms_reply(ngx_rooms_req_t *rq, ngx_uint_t n);
/* Handler of rq->timer: the answer is late, or it is time to send again. */
void ngx_rooms_send_timeout(ngx_event_t *ev);
/* Sets a 503 that also says what became of a change; returns NGX_ERROR. */
ngx_int_t ngx_rooms_fail_store(ngx_rooms_req_t *rq,
    ngx_rooms_batch_status_e status);
/* Sets a 503, since NGINX can't store the body; returns NGX_ERROR. */
ngx_int_t ngx_rooms_fail_body(ngx_rooms_req_t *rq);
/* Sets a 503 or 500, depending on the errno; returns NGX_ERROR. */
ngx_int_t ngx_rooms_fail_disk(ngx_rooms_req_t *rq, ngx_err_t err);
/* Frees all batches, and with them all values that point into them. */
void ngx_rooms_forget(ngx_rooms_req_t *rq);
/* Calls a step again that returned NGX_AGAIN without a batch. */
void ngx_rooms_continue(ngx_rooms_req_t *rq);
/*
 * Returns NGX_AGAIN; the step is called again after `delay` milliseconds, or
 * with 0, when other events have been handled.
 */
ngx_int_t ngx_rooms_pause(ngx_rooms_req_t *rq, ngx_msec_t delay);

/*
 * Puts a request into a queue of others that wait for the same, such as keys
 * that are being fetched.  Returns NGX_AGAIN; the step is called again when
 * the queue is woken, or after `wait` milliseconds.  A request that ends
 * leaves the queue.
 */
ngx_int_t ngx_rooms_wait_in(ngx_rooms_req_t *rq, ngx_queue_t *waiters,
    ngx_msec_t wait);
/* Wakes all of them in the next turn of the event loop. */
void ngx_rooms_wake_all(ngx_queue_t *waiters);
/*
 * Resets the round of all of them, so that their step starts from the
 * beginning.
 */
void ngx_rooms_wait_anew(ngx_queue_t *waiters);

/*
 * Waits for work in a thread: the calling step returns NGX_AGAIN, and is
 * called again when the work is done.  The work is freed with the request.
 */
ngx_int_t ngx_rooms_wait_work(ngx_rooms_req_t *rq, ngx_rooms_work_t *w);

/* Starts an empty commit. */
ngx_int_t ngx_rooms_begin(ngx_rooms_req_t *rq);

/* Reads the body and parses it. */
ngx_int_t ngx_rooms_body_read(ngx_rooms_req_t *rq);

/*
 * A field of the body; its type was checked before.  If it is absent: NULL,
 * or `otherwise`.
 */
json_t *ngx_rooms_body_get(ngx_rooms_req_t *rq, const char *name);
rooms_str_t ngx_rooms_body_str(ngx_rooms_req_t *rq, const char *name);
ngx_int_t ngx_rooms_body_bool(ngx_rooms_req_t *rq, const char *name,
    ngx_int_t otherwise);

/* A query argument, decoded.  NGX_DECLINED: absent or empty. */
ngx_int_t ngx_rooms_arg(ngx_rooms_req_t *rq, const char *name,
    rooms_str_t *value);
/*
 * An integer from min to max.  NGX_ERROR: the answer is set and names the
 * argument.
 */
ngx_int_t ngx_rooms_arg_int(ngx_rooms_req_t *rq, const char *name,
    int64_t min, int64_t max, int64_t otherwise, int64_t *value);

/* A time, in ms.  NGX_DECLINED: absent; NGX_ERROR: the answer is set. */
ngx_int_t ngx_rooms_arg_time(ngx_rooms_req_t *rq, const char *name,
    int64_t *ms);

/* Makes an opaque cursor of a kind of list and a value. */
rooms_str_t ngx_rooms_cursor(ngx_pool_t *pool, u_char kind, rooms_str_t value);
/* Reads one.  NGX_DECLINED: absent; NGX_ERROR: the answer is set. */
ngx_int_t ngx_rooms_arg_cursor(ngx_rooms_req_t *rq, const char *name,
    u_char kind, rooms_str_t *value);

/* The step that replaces names in path and body by ids (ngx_rooms_names.c). */
ngx_int_t ngx_rooms_names(ngx_rooms_req_t *rq);

/* Idempotency-Key (ngx_rooms_idempotency.c). */
ngx_int_t ngx_rooms_claim(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_claim_record(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_claim_answer(ngx_rooms_req_t *rq);
/* For a row's recall: answers with this body. */
ngx_int_t ngx_rooms_claim_again(ngx_rooms_req_t *rq, rooms_str_t body);
void ngx_rooms_claim_release(ngx_rooms_req_t *rq);
void ngx_rooms_claim_exit_worker(void);

/*
 * An answer that is written before its commit has this position in place of
 * the one that the commit will give.  It is written as NGX_ROOMS_POS.
 */
#define NGX_ROOMS_POSITION_LATER  (-1)
void ngx_rooms_put_position(rooms_buf_t *b, int64_t position);

/* Output. */
void ngx_rooms_out_init(ngx_rooms_out_t *out, ngx_pool_t *pool);
/*
 * Where an answer is written: it grows as needed.  If memory ran out, `failed`
 * is set, and nothing more is written.
 */
#define ngx_rooms_out(out)  (&(out)->b)
#define ngx_rooms_out_size(out)                                               \
    ((out)->size + ((out)->b.last - (out)->b.start))
/* The same, with `size` bytes of room in one piece, if memory allows. */
rooms_buf_t *ngx_rooms_out_piece(ngx_rooms_out_t *out, size_t size);
/* Appends bytes that live as long as the request; long ones aren't copied. */
void ngx_rooms_out_ref(ngx_rooms_out_t *out, rooms_str_t s);
/*
 * The same with an event.  If it is imported, its authors are read when the
 * whole answer is written (ngx_rooms_authors.c).
 */
void ngx_rooms_out_event(ngx_rooms_out_t *out, rooms_str_t event);
ngx_buf_t *ngx_rooms_out_place(ngx_rooms_out_t *out, rooms_str_t s);
/*
 * Appends an imported event whose authors are read later.  NGX_DECLINED: it
 * isn't one.
 */
ngx_int_t ngx_rooms_out_imported(ngx_rooms_out_t *out, rooms_str_t event);
ngx_int_t ngx_rooms_authors_ask(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_authors_take(ngx_rooms_req_t *rq);
/* The whole output in one piece. */
rooms_str_t ngx_rooms_out_flat(ngx_rooms_out_t *out);
void ngx_rooms_out_close(ngx_rooms_out_t *out);

void ngx_rooms_respond(ngx_rooms_req_t *rq);
void ngx_rooms_respond_error(ngx_rooms_req_t *rq);
/* What failed, in words; of a request that isn't valid, which field. */
rooms_str_t ngx_rooms_error_message(ngx_rooms_req_t *rq, ngx_pool_t *pool);
rooms_str_t ngx_rooms_error_body(ngx_rooms_req_t *rq, ngx_pool_t *pool,
    rooms_str_t request_id);
/*
 * Completes an error before its body is written: Retry-After, and whether a
 * change was made.
 */
void ngx_rooms_error_complete(ngx_rooms_req_t *rq);
void ngx_rooms_retry_after(ngx_rooms_req_t *rq);
rooms_str_t ngx_rooms_request_id(ngx_http_request_t *r);
ngx_int_t ngx_rooms_header(ngx_http_request_t *r, const char *key,
    rooms_str_t value);
ngx_int_t ngx_rooms_etag(ngx_rooms_req_t *rq);
/*
 * Takes the next entity tag, "..." or W/"...", off a list of them.  NULL: the
 * list has ended, or is malformed from here on.
 */
rooms_str_t ngx_rooms_etag_next(rooms_str_t *list);
/* Adds "Cache-Control: no-store", which every JSON answer has. */
ngx_int_t ngx_rooms_no_store(ngx_http_request_t *r);
rooms_str_t ngx_rooms_header_in(ngx_http_request_t *r, const char *name);

/* A new id; NULL: out of memory. */
rooms_str_t ngx_rooms_id(ngx_rooms_req_t *rq, const char *prefix);

#endif /* NGX_ROOMS_REQUEST_H */
