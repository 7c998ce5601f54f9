/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_apply.h"
#include "rooms_words.h"


static void ngx_rooms_apply_guards(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_create(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_fields(ngx_rooms_commit_t *c,
    const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_state(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_count(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_search(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_place(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a, rooms_str_t key);
static void ngx_rooms_apply_heir(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, const ngx_rooms_apply_t *a);
static void ngx_rooms_apply_wipe(ngx_rooms_commit_t *c,
    ngx_rooms_keys_t *keys, rooms_str_t room);


static const struct {
    ngx_uint_t   bit;
    rooms_str_t  name;
} ngx_rooms_apply_names[] = {
    { ROOMS_F_STATE, rooms_string("state") },
    { ROOMS_F_NAME, rooms_string("name") },
    { ROOMS_F_TOPIC, rooms_string("topic") },
    { ROOMS_F_WORKSPACE, rooms_string("workspace") },
    { ROOMS_F_FEDERATED, rooms_string("federated") },
    { ROOMS_F_LAST_MEMBER, rooms_string("last_member") },
    { ROOMS_F_JOINED, rooms_string("joined") },
    { ROOMS_F_ADMINS, rooms_string("admins") },
    { ROOMS_F_UPDATED, rooms_string("updated_at") },
    { 0, { 0, NULL } }
};


/* All keys that hold, or describe, what was written in a room. */
static const ngx_rooms_key_e  ngx_rooms_apply_wiped[] = {
    NGX_ROOMS_KEY_EVENTS, NGX_ROOMS_KEY_REDACTED, NGX_ROOMS_KEY_UUIDS,
    NGX_ROOMS_KEY_COPIES, NGX_ROOMS_KEY_AUTHORS,
    NGX_ROOMS_KEY_REACTIONS, NGX_ROOMS_KEY_TALLY, NGX_ROOMS_KEY_COUNTS,
    NGX_ROOMS_KEY_ANSWERS
};


void
ngx_rooms_apply(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a)
{
    rooms_str_t      key;
    rooms_change_t  *change;

    change = a->change;
    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, change->room.id);

    ngx_rooms_apply_guards(c, keys, a, key);

    if (change->wipe) {
        ngx_rooms_apply_wipe(c, keys, change->room.id);
    }

    if (a->before == NULL) {
        ngx_rooms_apply_create(c, keys, a, key);

        if (change->room.origin.data == NULL) {
            /* the clock may have been set back since the id was made */
            c->least = rooms_id_position(change->room.id);
        }

    } else {
        ngx_rooms_apply_fields(c, a, key);

        if (change->write & ROOMS_F_STATE) {
            ngx_rooms_apply_state(c, keys, a, key);
        }
    }

    if (a->before && change->room.type == ROOMS_DM
        && change->room.state == ROOMS_OPEN
        && a->before->state != ROOMS_OPEN)
    {
        /* a DM is back for both of its sides */
        ngx_rooms_apply_active(c, keys, change->room.peer[0]);
        ngx_rooms_apply_active(c, keys, change->room.peer[1]);
    }

    ngx_rooms_apply_search(c, keys, a, key);
    ngx_rooms_apply_place(c, keys, a, key);
    ngx_rooms_apply_heir(c, keys, a);
    ngx_rooms_apply_members(c, keys, a, key);
    ngx_rooms_apply_peers(c, keys, a, key);
    ngx_rooms_apply_count(c, keys, a, key);
}


/*
 * Where a room counts: among the tenant's rooms, or, until one of ours
 * accepts it, among its home's.  A closed room counts nowhere, and neither
 * does an unaccepted one that none of ours is invited to any more.
 */
typedef enum {
    NGX_ROOMS_PLACE_NONE = 0,
    NGX_ROOMS_PLACE_TENANT,
    NGX_ROOMS_PLACE_HOME
} ngx_rooms_place_e;


static ngx_rooms_place_e
ngx_rooms_apply_placed(const rooms_room_t *room)
{
    if (room == NULL || room->state == ROOMS_CLOSED) {
        return NGX_ROOMS_PLACE_NONE;
    }

    if (!room->unaccepted) {
        return NGX_ROOMS_PLACE_TENANT;
    }

    return (uint64_t) room->joined + room->invited
           > rooms_peers_total(room->peers)
           ? NGX_ROOMS_PLACE_HOME : NGX_ROOMS_PLACE_NONE;
}


static void
ngx_rooms_apply_move(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t origin, ngx_rooms_place_e from, ngx_rooms_place_e to,
    int64_t max_rooms)
{
    ngx_uint_t   i;
    rooms_str_t  key, field;

    static const rooms_str_t  delta[] = {
        rooms_string("-1"), rooms_string("1")
    };

    const struct {
        ngx_rooms_place_e  place;
        int64_t            most;
    } moves[2] = {
        { from, -1 },
        { to, to == NGX_ROOMS_PLACE_HOME ? NGX_ROOMS_UNACCEPTED_MAX
                                         : max_rooms }
    };

    for (i = 0; i < 2 && from != to; i++) {

        if (moves[i].place == NGX_ROOMS_PLACE_NONE) {
            continue;
        }

        key = ngx_rooms_key(keys, moves[i].place == NGX_ROOMS_PLACE_TENANT
                                  ? NGX_ROOMS_KEY_TENANT
                                  : NGX_ROOMS_KEY_UNACCEPTED, ROOMS_NULL);
        field = moves[i].place == NGX_ROOMS_PLACE_TENANT
                ? ngx_rooms_s("rooms") : origin;

        if (moves[i].most >= 0) {
            ngx_rooms_commit_guard_bound(c, key, field, ngx_rooms_s("-"), 1,
                                         moves[i].most);
        }

        ngx_rooms_commit_write(c, "HINCRBY", key, field, delta[i]);
    }
}


/*
 * Moves the room's count if the change moves its place.  Guards what the old
 * place was derived from.
 */
static void
ngx_rooms_apply_count(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    ngx_uint_t                 i;
    rooms_str_t                server;
    rooms_room_t              *room;
    const rooms_transition_t  *t;

    room = &a->change->room;

    for (i = 0; a->before && room->unaccepted && i < a->change->nmembers; i++)
    {
        t = &a->change->members[i];

        if (t->after.membership == ROOMS_JOIN
            && t->before.membership != ROOMS_JOIN
            && !rooms_foreign(t->after.participant, c->server, &server))
        {
            room->unaccepted = 0;
            ngx_rooms_commit_write(c, "HDEL", key, ngx_rooms_s("unaccepted"));
        }
    }

    if (a->before && a->before->unaccepted) {
        ngx_rooms_commit_guard_field(c, key, ngx_rooms_s("unaccepted"),
                                     ngx_rooms_s("1"));

        if (a->change->nmembers) {
            ngx_rooms_commit_guard_count(c, "ZCARD",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_LIST,
                                             room->id),
                               (int64_t) a->before->joined
                               + a->before->invited);
        }
    }

    ngx_rooms_apply_move(c, keys, room->origin,
                         ngx_rooms_apply_placed(a->before),
                         ngx_rooms_apply_placed(room), a->max_rooms);
}


void
ngx_rooms_apply_accept(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const rooms_room_t *room, int64_t max_rooms)
{
    rooms_str_t  key;

    key = ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, room->id);

    ngx_rooms_commit_guard_field(c, key, ngx_rooms_s("unaccepted"),
                                 ngx_rooms_s("1"));
    ngx_rooms_commit_write(c, "HDEL", key, ngx_rooms_s("unaccepted"));

    ngx_rooms_apply_move(c, keys, room->origin, ngx_rooms_apply_placed(room),
                         NGX_ROOMS_PLACE_TENANT, max_rooms);
}


/* A missing number means out of memory, not a missing field. */
static rooms_str_t
ngx_rooms_apply_number(ngx_rooms_commit_t *c, int64_t n)
{
    rooms_str_t  s;

    s = ngx_rooms_number(c->pool, n);

    if (s.data == NULL) {
        c->failed = 1;
    }

    return s;
}


/* A room field's value in the store. */
static rooms_str_t
ngx_rooms_apply_value(ngx_rooms_commit_t *c, const rooms_room_t *room,
    ngx_uint_t field)
{
    switch (field) {

    case ROOMS_F_STATE:
        return rooms_cstr(rooms_state_name(room->state));

    case ROOMS_F_NAME:
        return room->name;

    case ROOMS_F_TOPIC:
        return room->topic;

    case ROOMS_F_WORKSPACE:
        return room->workspace;

    case ROOMS_F_FEDERATED:
        return room->federated ? ngx_rooms_s("1") : ROOMS_NULL;

    case ROOMS_F_LAST_MEMBER:
        return room->last_member;

    case ROOMS_F_JOINED:
        return ngx_rooms_apply_number(c, room->joined);

    case ROOMS_F_ADMINS:
        return ngx_rooms_apply_number(c, room->admins);

    case ROOMS_F_UPDATED:
        return ngx_rooms_apply_number(c, room->updated_at);
    }

    return ROOMS_NULL;
}


static void
ngx_rooms_apply_guards(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    ngx_uint_t       i;
    rooms_str_t      top;
    rooms_change_t  *change;

    change = a->change;

    if (a->before) {

        for (i = 0; ngx_rooms_apply_names[i].bit; i++) {

            if (change->guard & ngx_rooms_apply_names[i].bit) {
                ngx_rooms_commit_guard_field(c, key,
                    ngx_rooms_apply_names[i].name,
                    ngx_rooms_apply_value(c, a->before,
                                          ngx_rooms_apply_names[i].bit));
            }
        }
    }

    if (change->guard & ROOMS_F_OTHERS) {
        ngx_rooms_commit_guard_least(c, key, ngx_rooms_s("admins"), 2);
    }

    if (change->guard & ROOMS_F_TOP) {
        top = ngx_rooms_join(c->pool,
                             a->ntop > 0 ? a->top[0].participant : ROOMS_NULL,
                             a->ntop > 1 ? ngx_rooms_s(" ") : ROOMS_NULL,
                             a->ntop > 1 ? a->top[1].participant : ROOMS_NULL);

        ngx_rooms_commit_guard_top(c, ngx_rooms_key(keys, NGX_ROOMS_KEY_ORDER,
                                                    change->room.id), top);
    }

    if (change->capacity) {
        ngx_rooms_commit_guard_bound(c, key, ngx_rooms_field_joined,
                                     ngx_rooms_field_invited, change->seats,
                                     a->max_participants);
    }
}


static void
ngx_rooms_apply_create(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    ngx_uint_t       closed;
    rooms_str_t      pair, aliases, dms;
    rooms_room_t    *room;

    room = &a->change->room;

    /* a replica may start closed: a DM that lost to another one */

    closed = room->state == ROOMS_CLOSED;

    ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("meta"),
                           ngx_rooms_format_meta(c->pool, room),
                           ngx_rooms_s("state"),
                           rooms_cstr(rooms_state_name(room->state)),
                           ngx_rooms_s("updated_at"),
                           ngx_rooms_number(c->pool, room->updated_at));

    if (room->name.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("name"),
                               room->name);
    }

    if (room->topic.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("topic"),
                               room->topic);
    }

    if (room->workspace.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("workspace"),
                               room->workspace);
    }

    if (room->origin.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("origin"),
                               room->origin);
    }

    if (room->origin_id.data) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("origin_id"),
                               room->origin_id);
    }

    if (room->unaccepted) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("unaccepted"),
                               ngx_rooms_s("1"));
    }

    if (room->federated) {
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("federated"),
                               ngx_rooms_s("1"));
    }

    if (room->alias.data) {
        aliases = ngx_rooms_key(keys, NGX_ROOMS_KEY_ALIASES, ROOMS_NULL);
        ngx_rooms_commit_guard_field(c, aliases, room->alias, ROOMS_NULL);
        ngx_rooms_commit_write(c, "HSET", aliases, room->alias, room->id);
        ngx_rooms_commit_write(c, "HSET", key, ngx_rooms_s("alias"),
                               room->alias);
    }

    if (room->type == ROOMS_DM && !closed) {
        dms = ngx_rooms_key(keys, NGX_ROOMS_KEY_DMS, ROOMS_NULL);
        pair = ngx_rooms_join(c->pool, room->peer[0], ngx_rooms_s(" "),
                              room->peer[1]);
        ngx_rooms_commit_guard_field(c, dms, pair, ROOMS_NULL);
        ngx_rooms_commit_write(c, "HSET", dms, pair, room->id);
    }

    if (room->is_public && room->state == ROOMS_OPEN) {
        ngx_rooms_commit_write(c, "ZADD",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_PUBLIC,
                                             ROOMS_NULL),
                               ngx_rooms_s("0"), room->id);
    }
}


static void
ngx_rooms_apply_fields(ngx_rooms_commit_t *c, const ngx_rooms_apply_t *a,
    rooms_str_t key)
{
    ngx_uint_t   i;
    rooms_str_t  value;

    for (i = 0; ngx_rooms_apply_names[i].bit; i++) {

        if (!(a->change->write & ngx_rooms_apply_names[i].bit)) {
            continue;
        }

        value = ngx_rooms_apply_value(c, &a->change->room,
                                      ngx_rooms_apply_names[i].bit);

        if (value.data) {
            ngx_rooms_commit_write(c, "HSET", key,
                                   ngx_rooms_apply_names[i].name, value);

        } else {
            ngx_rooms_commit_write(c, "HDEL", key,
                                   ngx_rooms_apply_names[i].name);
        }
    }
}


static void
ngx_rooms_apply_state(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    rooms_str_t          public;
    const rooms_room_t  *room;

    room = &a->change->room;

    if (room->is_public) {
        public = ngx_rooms_key(keys, NGX_ROOMS_KEY_PUBLIC, ROOMS_NULL);

        if (room->state == ROOMS_OPEN) {
            ngx_rooms_commit_write(c, "ZADD", public, ngx_rooms_s("0"),
                                   room->id);

        } else {
            ngx_rooms_commit_write(c, "ZREM", public, room->id);
        }
    }

    if (room->state != ROOMS_CLOSED) {
        return;
    }

    /* a closed room releases its alias, or its pair */

    if (room->alias.data) {
        ngx_rooms_commit_write(c, "HDEL",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_ALIASES,
                                             ROOMS_NULL),
                               room->alias);
        ngx_rooms_commit_write(c, "HDEL", key, ngx_rooms_s("alias"));
    }

    if (room->type == ROOMS_DM) {
        ngx_rooms_commit_write(c, "HDEL",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_DMS,
                                             ROOMS_NULL),
                               ngx_rooms_join(c->pool, room->peer[0],
                                              ngx_rooms_s(" "),
                                              room->peer[1]));
    }
}


/*
 * Writes one part of a room's text to the index: its words, and the list of
 * them in the room.  Without words it returns NGX_DECLINED.
 */
static ngx_int_t
ngx_rooms_apply_words(ngx_rooms_commit_t *c, rooms_str_t index,
    rooms_str_t key, rooms_str_t field, rooms_str_t end, rooms_str_t text,
    rooms_str_t more)
{
    size_t         size;
    u_char        *p;
    unsigned       i, n;
    rooms_buf_t    b, list;
    rooms_str_t    folded, *words, *argv;

    if (text.len + more.len == 0) {
        return NGX_DECLINED;
    }

    size = ROOMS_FOLD_SIZE(text.len + more.len) + 1;

    p = ngx_pnalloc(c->pool, size);
    if (p == NULL) {
        c->failed = 1;
        return NGX_ERROR;
    }

    rooms_buf_init(&b, p, size);
    rooms_fold(&b, text);
    rooms_fold(&b, more);

    folded = (rooms_str_t) { b.last - p, p };
    n = rooms_words_count(folded);

    if (n == 0) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(c->pool, n * (ROOMS_WORD_SIZE + 1));
    words = ngx_palloc(c->pool, 3 * n * sizeof(rooms_str_t));

    if (p == NULL || words == NULL) {
        c->failed = 1;
        return NGX_ERROR;
    }

    argv = words + n;
    rooms_buf_init(&list, p, n * (ROOMS_WORD_SIZE + 1));
    n = rooms_words(folded, words, n);

    for (i = 0; i < n; i++) {
        argv[2 * i] = ngx_rooms_s("0");
        argv[2 * i + 1] = ngx_rooms_join(c->pool, words[i], end);

        if (i) {
            rooms_json_lit(&list, " ");
        }

        rooms_json_raw(&list, words[i].data, words[i].len);
    }

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("ZADD"), index, argv, 2 * n);
    ngx_rooms_commit_write(c, "HSET", key, field,
                           { list.last - list.start, list.start });

    return NGX_OK;
}


/*
 * Open rooms can be found by the words of their name and alias, and of their
 * topic.  These are two parts, so that each can be overwritten without
 * reading the other.  The room lists its words in the index, so that the
 * commit removes the words that are there then, not those that were there
 * when it was decided.
 *
 * Public rooms have an index of their own, so that whoever searches them
 * reads no words of other rooms.  Rooms that another program makes have
 * neither: it writes their names itself.
 */
static void
ngx_rooms_apply_search(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    ngx_uint_t           i, was, is;
    rooms_str_t          index, end, entry;
    const rooms_room_t  *room;

    room = &a->change->room;

    const struct {
        ngx_uint_t   bit;
        rooms_str_t  field;
        rooms_str_t  mark;
        rooms_str_t  text;
        rooms_str_t  more;
    } parts[2] = {
        { ROOMS_F_NAME, ngx_rooms_s("words"), ngx_rooms_s(""), room->name,
          room->alias },
        { ROOMS_F_TOPIC, ngx_rooms_s("topic_words"), ngx_rooms_s("~"),
          room->topic, ROOMS_NULL }
    };

    was = a->before && a->before->state == ROOMS_OPEN;
    is = room->state == ROOMS_OPEN;

    if ((!was && !is)
        || (!room->is_public && (room->type == ROOMS_SIDEKICK
                                 || room->type == ROOMS_BRIDGE)))
    {
        return;
    }

    index = ngx_rooms_key(keys, NGX_ROOMS_KEY_WORDS,
                          room->is_public ? ngx_rooms_s("rooms")
                                          : ngx_rooms_s("private"));

    for (i = 0; i < 2; i++) {

        if (was && is && !(a->change->write & parts[i].bit)) {
            continue;
        }

        end = ngx_rooms_join(c->pool, ngx_rooms_s(" "), room->id,
                             parts[i].mark);

        if (was) {
            ngx_rooms_commit_forget(c, index, key, parts[i].field, end);
        }

        if (is
            && ngx_rooms_apply_words(c, index, key, parts[i].field, end,
                                     parts[i].text, parts[i].more)
               != NGX_DECLINED)
        {
            continue;
        }

        if (was) {
            ngx_rooms_commit_write(c, "HDEL", key, parts[i].field);
        }
    }

    if (!room->is_public) {
        return;
    }

    entry = ngx_rooms_join(c->pool, ngx_rooms_s("*"),
                           rooms_cstr(rooms_type_name(room->type)),
                           ngx_rooms_s(" "), room->id);

    if (is && !was) {
        ngx_rooms_commit_write(c, "ZADD", index, ngx_rooms_s("0"), entry);

    } else if (was && !is) {
        ngx_rooms_commit_write(c, "ZREM", index, entry);
    }
}


/*
 * A workspace lists its open rooms.  Guards that the room still is where it
 * is taken from.
 */
static void
ngx_rooms_apply_place(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a, rooms_str_t key)
{
    rooms_str_t          was, is;
    const rooms_room_t  *room;

    room = &a->change->room;

    was = a->before && a->before->state == ROOMS_OPEN ? a->before->workspace
                                                      : ROOMS_NULL;
    is = room->state == ROOMS_OPEN ? room->workspace : ROOMS_NULL;

    if (rooms_str_eq(was, is)) {
        return;
    }

    if (a->before) {
        ngx_rooms_commit_guard_field(c, key, ngx_rooms_s("workspace"),
                                     a->before->workspace);
    }

    if (was.data) {
        ngx_rooms_commit_write(c, "ZREM",
                               ngx_rooms_key(keys,
                                             NGX_ROOMS_KEY_WORKSPACE_ROOMS,
                                             was),
                               room->id);
    }

    if (is.data) {
        ngx_rooms_commit_write(c, "ZADD",
                               ngx_rooms_key(keys,
                                             NGX_ROOMS_KEY_WORKSPACE_ROOMS,
                                             is),
                               ngx_rooms_s("0"), room->id);
    }
}


/*
 * If somebody else reopened the room, the last member loses the index entry
 * that let them come back.  If the last member did, the row of their join
 * adds the entry again.
 */
static void
ngx_rooms_apply_heir(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_apply_t *a)
{
    if (a->before == NULL || !(a->change->write & ROOMS_F_LAST_MEMBER)
        || a->before->last_member.data == NULL
        || rooms_str_eq(a->before->last_member, a->change->room.last_member))
    {
        return;
    }

    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_ROOMS,
                                         a->before->last_member),
                           a->change->room.id);

    /* nothing happened to them that has a position */
    ngx_rooms_commit_write(c, "ZREM",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_NEWS,
                                         a->before->last_member),
                           ngx_rooms_s(NGX_ROOMS_NEWS_LIST));
}


void
ngx_rooms_apply_early(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room, int64_t lowest)
{
    if (lowest < rooms_id_position(room)) {
        ngx_rooms_commit_write(c, "ZADD",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_EARLY,
                                             ROOMS_NULL),
                               ngx_rooms_s("0"), room);
    }
}


static void
ngx_rooms_apply_wipe(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t room)
{
    ngx_uint_t  i;

    for (i = 0; i < sizeof(ngx_rooms_apply_wiped) / sizeof(ngx_rooms_key_e);
         i++)
    {
        ngx_rooms_commit_delete(c, ngx_rooms_key(keys,
                                                 ngx_rooms_apply_wiped[i],
                                                 room));
    }

    ngx_rooms_commit_write(c, "HDEL",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_ROOM, room),
                           ngx_rooms_s("messages"), ngx_rooms_s("redacted"));
}


void
ngx_rooms_apply_workspace(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t id, rooms_str_t kind, rooms_str_t name, rooms_str_t owner,
    int64_t now)
{
    ngx_rooms_commit_write(c, "HSET",
                           ngx_rooms_key(keys, NGX_ROOMS_KEY_WORKSPACE, id),
                           ngx_rooms_s("name"), name,
                           ngx_rooms_s("kind"), kind,
                           ngx_rooms_s("owner"), owner,
                           ngx_rooms_s("created_at"),
                           ngx_rooms_number(c->pool, now));

    ngx_rooms_apply_role(c, keys, id, owner, ROOMS_ROLE_NONE,
                         ROOMS_ROLE_OWNER);
}


void
ngx_rooms_apply_role(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t id, rooms_str_t participant, rooms_role_e had,
    rooms_role_e role)
{
    rooms_str_t  members, list, own;

    members = ngx_rooms_key(keys, NGX_ROOMS_KEY_WORKSPACE_MEMBERS, id);
    list = ngx_rooms_key(keys, NGX_ROOMS_KEY_WORKSPACE_LIST, id);
    own = ngx_rooms_key(keys, NGX_ROOMS_KEY_USER_WORKSPACES, participant);

    ngx_rooms_commit_guard_field(c, members, participant,
                                 had == ROOMS_ROLE_NONE
                                 ? ROOMS_NULL
                                 : rooms_cstr(rooms_role_name(had)));

    if (role == ROOMS_ROLE_NONE) {
        ngx_rooms_commit_write(c, "HDEL", members, participant);
        ngx_rooms_commit_write(c, "ZREM", list, participant);
        ngx_rooms_commit_write(c, "ZREM", own, id);

    } else {
        ngx_rooms_commit_write(c, "HSET", members, participant,
                               rooms_cstr(rooms_role_name(role)));
    }

    if (had == ROOMS_ROLE_NONE) {
        ngx_rooms_commit_write(c, "ZADD", list, ngx_rooms_s("0"),
                               participant);
        ngx_rooms_commit_write(c, "ZADD", own, ngx_rooms_s("0"), id);
    }

    if ((had == ROOMS_ROLE_OWNER) != (role == ROOMS_ROLE_OWNER)) {
        ngx_rooms_commit_write(c, "HINCRBY",
                               ngx_rooms_key(keys, NGX_ROOMS_KEY_WORKSPACE,
                                             id),
                               ngx_rooms_s("owners"),
                               role == ROOMS_ROLE_OWNER ? ngx_rooms_s("1")
                                                        : ngx_rooms_s("-1"));
    }
}
