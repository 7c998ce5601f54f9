/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_APPLY_H
#define NGX_ROOMS_APPLY_H

#include "ngx_rooms_commit.h"
#include "ngx_rooms_load.h"


/*
 * Turns a verdict of the core into guards and writes.  Here, and nowhere
 * else, stands which index and which counter follows which transition:
 * ngx_rooms_apply.c has the room's own fields and state.
 */

#define NGX_ROOMS_UNACCEPTED_MAX  64       /* replicas, of one server */

typedef struct {
    const rooms_room_t  *before;           /* NULL: the room is made */
    rooms_change_t      *change;
    rooms_member_t       top[2];           /* as the decision saw it */
    ngx_uint_t           ntop;
    uint32_t             max_participants;
    int64_t              max_rooms;        /* of the tenant, -1: any */
} ngx_rooms_apply_t;

void ngx_rooms_apply(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a);

/*
 * Its members (ngx_rooms_apply_members.c): their rows, and what is counted
 * and listed by them.  a->change->room has the new counts afterwards.
 */
ngx_uint_t ngx_rooms_member_listed(const rooms_member_t *m);
void ngx_rooms_apply_members(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key);


/*
 * Of p:<participant>:offboard, the progress of a deactivation: when its
 * erasure was asked for (ms), and what could not be redacted, here or by a
 * room's home.
 */
#define NGX_ROOMS_OFF_ERASE    "erase_at"
#define NGX_ROOMS_OFF_SKIPPED  "skipped"


/*
 * Participants (ngx_rooms_apply_person.c).  Writes a row and its entries in
 * the index; guards that the row is still `had`, the text that was read, or
 * NULL.  The same for one of ours who is new: with the local id, which is
 * `owner`'s (nobody's, or theirs already), and with a personal workspace,
 * p->workspace.
 */
void ngx_rooms_apply_person(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t had, const ngx_rooms_profile_t *p, int64_t now);
void ngx_rooms_apply_newcomer(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_profile_t *p, rooms_str_t owner, int64_t now);
/* Claims p->local, which is `owner`'s: nobody's, or theirs already. */
void ngx_rooms_apply_local(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_profile_t *p, rooms_str_t owner);

/*
 * What finds a participant: the words of local id and name, the first so
 * many.  `text` is all of it, folded, and `sort` is the name, by which lists
 * are in order.
 */
#define NGX_ROOMS_PERSON_WORDS  32

typedef struct {
    rooms_str_t          words[NGX_ROOMS_PERSON_WORDS];
    ngx_uint_t           n;
    rooms_str_t          text;
    rooms_str_t          sort;
} ngx_rooms_person_words_t;

ngx_int_t ngx_rooms_person_words(ngx_pool_t *pool,
    const ngx_rooms_profile_t *p, ngx_rooms_person_words_t *words);
/* An address as the index has it; NULL: no memory. */
rooms_str_t ngx_rooms_person_email(ngx_pool_t *pool, rooms_str_t email);

/*
 * One of ours comes into something: as long as they aren't deactivated.  In
 * the commit of a request its own caller is guarded already.
 */
void ngx_rooms_apply_active(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant);

/* Wakes the requests in which a participant waits for news. */
void ngx_rooms_apply_wake(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant);

/* A workspace is made, and with it its first owner's role. */
void ngx_rooms_apply_workspace(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t id, rooms_str_t kind, rooms_str_t name, rooms_str_t owner,
    int64_t now);
/* A role is given; none: taken.  Guards that it was `had` before. */
void ngx_rooms_apply_role(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t id, rooms_str_t participant, rooms_role_e had,
    rooms_role_e role);


/*
 * One of ours has said something in a replica that nobody of ours has
 * accepted: it counts in the tenant from now on.
 */
void ngx_rooms_apply_accept(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, int64_t max_rooms);

/*
 * The event (ngx_rooms_apply_event.c): its row with `content`, a JSON object.  `random` is the tail of the event's id, 16 hexadecimal digits.
 */
void ngx_rooms_apply_event(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now);

/* One that nobody has to read: a message that isn't counted as unread. */
void ngx_rooms_apply_quiet(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now);

/* The reader's own: swp.room.read_marker, which isn't of the room. */
void ngx_rooms_apply_marker_event(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const rooms_room_t *room, rooms_str_t reader,
    rooms_str_t random, rooms_str_t content, int64_t now);

/*
 * An event of so many bytes is written into the room: its field "big" says
 * so.  Whoever writes events calls it; the two above do.
 */
void ngx_rooms_apply_size(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, size_t size);

/*
 * What ngx_rooms_apply_event() stores, as readers see it, once its position is
 * known; a negative one: with marks of it, for what the same commit writes.
 */
rooms_str_t ngx_rooms_event_json(ngx_rooms_commit_t *c, int64_t position);

/* The same JSON later, of what it was made of.  NULL: no memory. */
rooms_str_t ngx_rooms_event_again(ngx_pool_t *pool, const rooms_room_t *room,
    rooms_event_e type, rooms_str_t sender, rooms_str_t random,
    rooms_str_t content, int64_t now, int64_t position);


/*
 * Federation (ngx_rooms_apply_peers.c): which servers are in the room after
 * the change, and that an event is on its way to them.
 */
void ngx_rooms_apply_peers(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key);
void ngx_rooms_apply_outbox(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t random);

/* Has a server told all of a room: its state, and who is in it. */
void ngx_rooms_apply_snapshot(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t server);

#endif /* NGX_ROOMS_APPLY_H */
