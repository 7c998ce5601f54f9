/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_LOAD_H
#define NGX_ROOMS_LOAD_H

#include "ngx_rooms_store.h"
#include "rooms_stored.h"


/*
 * Converts values between the store's form and the core's.  Nothing read from
 * the store is trusted: what can't be parsed is NGX_ERROR, which becomes a
 * 500 and a line in the log.  Parsed strings point into the reply.
 */

/* If a room doesn't say how large its events are, none is larger than this. */
#define NGX_ROOMS_EVENT_SMALL  1024

typedef enum {
    NGX_ROOMS_MODE_INHERIT = 0,
    NGX_ROOMS_MODE_ALL,
    NGX_ROOMS_MODE_MENTIONS,
    NGX_ROOMS_MODE_NONE,
    NGX_ROOMS_MODE_MAX
} ngx_rooms_mode_e;

#define NGX_ROOMS_MUTED_FOREVER  INT64_C(253402300799000)  /* 9999-12-31 */

/* A participant's own settings in a room. */
typedef struct {
    ngx_rooms_mode_e    mode;
    int64_t             muted_until;       /* ms, 0: not muted */
    rooms_str_t         event;             /* id of the last one read, or
                                              NULL */
    int64_t             position;          /* of the marker */
    int64_t             number;            /* of messages up to it */
} ngx_rooms_own_t;

#define NGX_ROOMS_DAY  INT64_C(86400000)   /* ms */

/* A participant of the tenant. */
typedef struct {
    rooms_str_t         id;
    rooms_str_t         local;
    rooms_str_t         name;              /* displayed */
    rooms_str_t         workspace;         /* the personal one */
    rooms_str_t         type;              /* "human", ...; "federated" for
                                              another server's */
    rooms_str_t         server;            /* NULL: this one */
    rooms_str_t         avatar;            /* or NULL */
    rooms_str_t         email;             /* or NULL */
    rooms_str_t         bio;               /* or NULL */
    int64_t             created;           /* ms; 0: not known */
    int64_t             named;             /* issue time of the token that
                                              gave the name, s; 0: unknown */
    unsigned            deactivated:1;
    unsigned            provisioned:1;     /* has had no token yet */
    unsigned            own_name:1;        /* set by hand, so tokens don't
                                              change it */
    unsigned            own_local:1;       /* likewise, while provisioned */
} ngx_rooms_profile_t;


/* Appends HGETALL of the room. */
ngx_int_t ngx_rooms_load_room(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    rooms_str_t room);
/* NGX_OK, NGX_DECLINED (no such room), NGX_ERROR. */
ngx_int_t ngx_rooms_parse_room(redisReply *reply, rooms_str_t id,
    rooms_room_t *room);

/*
 * Takes the next word off a row; the second also parses it as a number up to
 * max.
 */
rooms_str_t ngx_rooms_word(rooms_str_t *row);
ngx_int_t ngx_rooms_word_int(rooms_str_t *row, int64_t max, int64_t *n);

/* How a joined member's row begins, for scripts in the store. */
#define NGX_ROOMS_ROW_JOINED  "join "

/*
 * A member's row; without one the membership is ROOMS_LEAVE.  A membership
 * that begins has the position of the commit's event, and the number of
 * messages by then, as marks for ngx_rooms_commit_write_at(). `first`: the
 * room has none yet.
 */
ngx_int_t ngx_rooms_parse_member(rooms_str_t row, rooms_str_t participant,
    rooms_member_t *member);
rooms_str_t ngx_rooms_format_member(ngx_pool_t *pool,
    const rooms_member_t *member);
rooms_str_t ngx_rooms_format_begin(ngx_pool_t *pool,
    const rooms_member_t *member, ngx_uint_t first);

/*
 * A participant's mode, mute and read marker are three fields, so that each
 * can be overwritten without reading the others.  The space separates them
 * from the participant's id, since ids have no spaces.
 */
#define NGX_ROOMS_OWN_MODE  "mode "
#define NGX_ROOMS_OWN_MUTE  "mute "
#define NGX_ROOMS_OWN_READ  "read "

#define ngx_rooms_own_field(pool, kind, who)                                  \
    ngx_rooms_join(pool, ngx_rooms_s(kind), who)

ngx_int_t ngx_rooms_parse_own(rooms_str_t mode, rooms_str_t mute,
    rooms_str_t marker, ngx_rooms_own_t *own);
const char *ngx_rooms_mode_name(ngx_rooms_mode_e mode);
ngx_int_t ngx_rooms_mode_parse(rooms_str_t s);         /* -1: none */

/*
 * Parses a profile.  NGX_DECLINED: json is NULL, so the participant is
 * unknown.
 */
ngx_int_t ngx_rooms_parse_profile(ngx_pool_t *pool, rooms_str_t json,
    rooms_str_t id, ngx_rooms_profile_t *profile);
/*
 * The same for showing it: one that can't be read is logged, and shown like
 * an unknown participant, by the id alone.
 */
ngx_int_t ngx_rooms_show_profile(ngx_pool_t *pool, ngx_log_t *log,
    rooms_str_t json, rooms_str_t id, ngx_rooms_profile_t *profile);
rooms_str_t ngx_rooms_format_profile(ngx_pool_t *pool,
    const ngx_rooms_profile_t *profile, int64_t now);

/*
 * Reads a stored event. `position` is its score; 0: not read.  Sets e->json,
 * in the pool, to what is shown; for an event that can't be read that is what
 * is known about it, and a line is logged.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_rooms_parse_event(ngx_pool_t *pool, ngx_log_t *log,
    rooms_str_t row, rooms_str_t room, int64_t position, rooms_stored_t *e);
/* The second half of that, for an event already read. */
ngx_int_t ngx_rooms_show_event(ngx_pool_t *pool, ngx_log_t *log,
    rooms_str_t room, rooms_stored_t *e);
/* Writes an event's row; NULL: out of memory. */
rooms_str_t ngx_rooms_format_event(ngx_pool_t *pool, const rooms_stored_t *e);

/*
 * Logs that something in a list can't be read, and so is skipped or shown in
 * part.  Logs at most one line a second.
 */
void ngx_rooms_unreadable(ngx_log_t *log, const char *what, rooms_str_t id);

/* The room's field "meta", which never changes. */
rooms_str_t ngx_rooms_format_meta(ngx_pool_t *pool, const rooms_room_t *room);

/*
 * A participant's id from a stored event's JSON, with or without quotes.  It
 * may contain escapes, though ours never do.  NULL: it isn't a valid id.
 */
rooms_str_t ngx_rooms_json_id(ngx_pool_t *pool, rooms_str_t value);

/*
 * The count in a value that is counted downwards from 0; 0 if there is none,
 * or it isn't such a number.
 */
int64_t ngx_rooms_reply_down(redisReply *reply);

/* Names of room fields in the store. */
extern const rooms_str_t  ngx_rooms_field_state;
extern const rooms_str_t  ngx_rooms_field_joined;
extern const rooms_str_t  ngx_rooms_field_invited;
extern const rooms_str_t  ngx_rooms_field_peers;
extern const rooms_str_t  ngx_rooms_field_guests;
extern const rooms_str_t  ngx_rooms_field_big;

#endif /* NGX_ROOMS_LOAD_H */
