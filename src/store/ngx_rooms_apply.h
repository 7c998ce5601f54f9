/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_APPLY_H
#define NGX_ROOMS_APPLY_H

#include "ngx_rooms_commit.h"
#include "ngx_rooms_load.h"


/*
 * Turns a verdict of the core into guards and writes.  Only these files
 * decide which index and which counter follows which transition.
 * ngx_rooms_apply.c handles the room's own fields and state.
 */

#define NGX_ROOMS_UNACCEPTED_MAX  64       /* replicas, for each server */

typedef struct {
    const rooms_room_t  *before;           /* NULL: the room is created */
    rooms_change_t      *change;
    rooms_member_t       top[2];           /* as the decision read it */
    ngx_uint_t           ntop;
    uint32_t             max_participants;
    int64_t              max_rooms;        /* the tenant's quota; negative:
                                              none */
} ngx_rooms_apply_t;

void ngx_rooms_apply(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a);

/*
 * Members of a room (ngx_rooms_apply_members.c): writes their rows, and the
 * counters and lists that follow from these.  Sets the new counts in
 * a->change->room.
 */
ngx_uint_t ngx_rooms_member_listed(const rooms_member_t *m);
void ngx_rooms_apply_members(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key);


/*
 * Fields of p:<participant>:offboard, which holds the progress of a
 * deactivation: when its erasure was requested (ms), and how many events
 * couldn't be redacted, here or by a room's home.
 */
#define NGX_ROOMS_OFF_ERASE    "erase_at"
#define NGX_ROOMS_OFF_SKIPPED  "skipped"


/*
 * Participants (ngx_rooms_apply_person.c).  The first writes a row and its
 * index entries, and guards that the row still is `had`, the text that was
 * read (NULL: no row).  The second creates one of our own participants, with
 * local id and personal workspace (p->workspace); `owner` is who has the
 * local id: NULL, or the participant.
 */
void ngx_rooms_apply_person(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t had, const ngx_rooms_profile_t *p, int64_t now);
void ngx_rooms_apply_newcomer(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_profile_t *p, rooms_str_t owner, int64_t now);
/* Claims p->local; `owner` is as above. */
void ngx_rooms_apply_local(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_profile_t *p, rooms_str_t owner);

/*
 * What finds a participant. `words` are those of local id and name; `text` is
 * both, folded; `sort` is the folded name, which orders lists.
 */
typedef struct {
    rooms_str_t         *words;
    ngx_uint_t           n;
    rooms_str_t          text;
    rooms_str_t          sort;
} ngx_rooms_person_words_t;

ngx_int_t ngx_rooms_person_words(ngx_pool_t *pool,
    const ngx_rooms_profile_t *p, ngx_rooms_person_words_t *words);
/* An e-mail address as the index has it; NULL: out of memory. */
rooms_str_t ngx_rooms_person_email(ngx_pool_t *pool, rooms_str_t email);

/*
 * Guards that a participant of ours isn't deactivated, since they enter
 * something.  The caller of a request is already guarded in its commit.
 */
void ngx_rooms_apply_active(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant);

/* Guards that a participant has been seen, and so has a row. */
void ngx_rooms_apply_participant(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant);

/*
 * For a new room: its lowest position.  A reader takes the time of a room's id
 * for a lower bound of its events' positions, and has to know exceptions.
 */
void ngx_rooms_apply_early(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, int64_t lowest);

/* Wakes the requests in which the participant waits for news. */
void ngx_rooms_apply_wake(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t participant);

/* Creates a workspace, and its first owner's role. */
void ngx_rooms_apply_workspace(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t id, rooms_str_t kind, rooms_str_t name, rooms_str_t owner,
    int64_t now);
/*
 * Gives a role; ROOMS_ROLE_NONE removes the member.  Guards that the role was
 * `had`.
 */
void ngx_rooms_apply_role(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t id, rooms_str_t participant, rooms_role_e had,
    rooms_role_e role);


/*
 * One of ours wrote in a replica that nobody of ours has accepted yet.  From
 * now on the replica counts among the tenant's rooms.
 */
void ngx_rooms_apply_accept(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, int64_t max_rooms);

/*
 * Events (ngx_rooms_apply_event.c).  Appends the event's row with `content`,
 * a JSON object. `random` is the tail of the event's id: 16 hexadecimal
 * digits.
 */
void ngx_rooms_apply_event(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now);

/* The same, but a message doesn't count as unread. */
void ngx_rooms_apply_quiet(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t sender,
    rooms_str_t random, rooms_str_t content, int64_t now);

/* The reader's own swp.room.read_marker, which isn't an event of the room. */
void ngx_rooms_apply_marker_event(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const rooms_room_t *room, rooms_str_t reader,
    rooms_str_t random, rooms_str_t content, int64_t now);

/*
 * Raises the room's field "big" if this event is larger.  Whoever writes an
 * event's row calls it; the functions above do.
 */
void ngx_rooms_apply_size(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, size_t size);

/*
 * The JSON, as readers see it, of the event that ngx_rooms_apply_event()
 * stores.  If `position` is negative it isn't known yet, and the text has
 * marks in its place, for writes of the same commit.
 */
rooms_str_t ngx_rooms_event_json(ngx_rooms_commit_t *c, int64_t position);

/* The same JSON at a later time, from the same values.  NULL: out of memory. */
rooms_str_t ngx_rooms_event_again(ngx_pool_t *pool, const rooms_room_t *room,
    rooms_event_e type, rooms_str_t sender, rooms_str_t random,
    rooms_str_t content, int64_t now, int64_t position);


/*
 * Federation (ngx_rooms_apply_peers.c): records which servers are in the room
 * after the change, and puts an event into their outboxes.
 */
void ngx_rooms_apply_peers(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key);
void ngx_rooms_apply_outbox(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, rooms_event_e type, rooms_str_t random);

/* Queues a room snapshot for a server. */
void ngx_rooms_apply_snapshot(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t server);

#endif /* NGX_ROOMS_APPLY_H */
