/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_load.h"
#include "rooms_json.h"
#include "rooms_number.h"


const rooms_str_t  ngx_rooms_field_state = rooms_string("state");
const rooms_str_t  ngx_rooms_field_joined = rooms_string("joined");
const rooms_str_t  ngx_rooms_field_invited = rooms_string("invited");
const rooms_str_t  ngx_rooms_field_peers = rooms_string("peers");
const rooms_str_t  ngx_rooms_field_guests = rooms_string("guests");
const rooms_str_t  ngx_rooms_field_big = rooms_string("big");

static const char  *ngx_rooms_modes[NGX_ROOMS_MODE_MAX] = {
    "inherit", "all", "mentions", "none"
};


/*
 * Rows are words with one space between them.  Takes the next word; data ==
 * NULL: there are no more.
 */
rooms_str_t
ngx_rooms_word(rooms_str_t *row)
{
    u_char       *p, *last;
    rooms_str_t   word;

    if (row->len == 0) {
        return ROOMS_NULL;
    }

    p = (u_char *) row->data;
    last = p + row->len;

    word.data = p;

    while (p < last && *p != ' ') {
        p++;
    }

    word.len = p - word.data;

    row->data = p < last ? p + 1 : p;
    row->len = last - row->data;

    return word;
}


ngx_int_t
ngx_rooms_word_int(rooms_str_t *row, int64_t max, int64_t *n)
{
    uint64_t       value;
    const u_char  *p, *last;

    last = row->data + row->len;
    p = rooms_digits(row->data, last, &value);

    /* as many digits as always fit */

    if (p == row->data || p - row->data > 19 || (p < last && *p != ' ')
        || value > (uint64_t) max)
    {
        return NGX_ERROR;
    }

    row->data = p < last ? p + 1 : p;
    row->len = last - row->data;

    *n = value;

    return NGX_OK;
}


/*
 * Reads the whole hash.  Redis walks over a small hash once for that.  For
 * twenty single fields, half of them missing, it would search from the start
 * each time.
 */
ngx_int_t
ngx_rooms_load_room(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    rooms_str_t room)
{
    return ngx_rooms_ask(b, keys, "HGETALL %k", NGX_ROOMS_KEY_ROOM, room);
}


/* "type scope public close_on_leave created_at creator [peer peer]" */
static ngx_int_t
ngx_rooms_parse_meta(rooms_str_t meta, rooms_room_t *room)
{
    int           type;
    int64_t       public, close;
    rooms_str_t   scope;

    type = rooms_type_parse(ngx_rooms_word(&meta));
    scope = ngx_rooms_word(&meta);

    if (type < 0 || scope.data == NULL
        || ngx_rooms_word_int(&meta, 1, &public) != NGX_OK
        || ngx_rooms_word_int(&meta, 1, &close) != NGX_OK
        || ngx_rooms_word_int(&meta, INT64_MAX, &room->created_at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    room->type = type;
    room->incognito = rooms_str_eq(scope, ngx_rooms_s("incognito"));
    room->is_public = public;
    room->close_on_leave = close;
    room->creator = ngx_rooms_word(&meta);
    room->peer[0] = ngx_rooms_word(&meta);
    room->peer[1] = ngx_rooms_word(&meta);

    if (!rooms_participant_valid(room->creator)) {
        return NGX_ERROR;
    }

    if (type == ROOMS_DM && (!rooms_participant_valid(room->peer[0])
                             || !rooms_participant_valid(room->peer[1])))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


rooms_str_t
ngx_rooms_format_meta(ngx_pool_t *pool, const rooms_room_t *room)
{
    ngx_uint_t  dm;

    dm = room->type == ROOMS_DM;

    return ngx_rooms_join(pool, rooms_cstr(rooms_type_name(room->type)),
                   room->incognito ? ngx_rooms_s(" incognito")
                                   : ngx_rooms_s(" -"),
                   room->is_public ? ngx_rooms_s(" 1") : ngx_rooms_s(" 0"),
                   room->close_on_leave ? ngx_rooms_s(" 1 ")
                                        : ngx_rooms_s(" 0 "),
                   ngx_rooms_number(pool, room->created_at),
                   ngx_rooms_s(" "), room->creator,
                   dm ? ngx_rooms_s(" ") : ROOMS_NULL, room->peer[0],
                   dm ? ngx_rooms_s(" ") : ROOMS_NULL, room->peer[1]);
}


static ngx_int_t
ngx_rooms_parse_state(rooms_str_t s, rooms_state_e *state)
{
    ngx_uint_t  i;

    for (i = 0; i < ROOMS_STATE_MAX; i++) {

        if (rooms_str_eq(s, rooms_cstr(rooms_state_name(i)))) {
            *state = i;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_rooms_reply_count(redisReply *reply, uint32_t *n)
{
    int64_t  value;

    value = ngx_rooms_reply_int(reply, 0);

    if (value < 0 || value > UINT32_MAX) {
        return NGX_ERROR;
    }

    *n = value;

    return NGX_OK;
}


/*
 * In the order of ngx_rooms_parse_room().  A room's other fields belong to
 * indexes.
 */
static const rooms_str_t  ngx_rooms_room_fields[] = {
    rooms_string("meta"), rooms_string("state"), rooms_string("name"),
    rooms_string("topic"), rooms_string("alias"), rooms_string("workspace"),
    rooms_string("federated"), rooms_string("updated_at"),
    rooms_string("joined"), rooms_string("invited"), rooms_string("admins"),
    rooms_string("position"), rooms_string("last_member"),
    rooms_string("origin"), rooms_string("peers"), rooms_string("guests"),
    rooms_string("big"), rooms_string("origin_id"),
    rooms_string("unaccepted"), rooms_string("snapshot_at"),
    rooms_string("messages"), rooms_string("redacted")
};

#define NGX_ROOMS_ROOM_FIELDS  (sizeof(ngx_rooms_room_fields)                 \
                                / sizeof(rooms_str_t))


ngx_int_t
ngx_rooms_parse_room(redisReply *reply, rooms_str_t id, rooms_room_t *room)
{
    int           n;
    ngx_uint_t    i;
    redisReply   *f[NGX_ROOMS_ROOM_FIELDS];

    ngx_memzero(room, sizeof(rooms_room_t));
    ngx_memzero(f, sizeof(f));

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    for (n = -1, i = 0; i + 1 < reply->elements; i += 2) {
        n = rooms_str_which(ngx_rooms_reply_str(reply->element[i]),
                            ngx_rooms_room_fields, NGX_ROOMS_ROOM_FIELDS, n);

        if (n >= 0) {
            f[n] = reply->element[i + 1];
        }
    }

    if (ngx_rooms_reply_str(f[0]).data == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_rooms_parse_meta(ngx_rooms_reply_str(f[0]), room) != NGX_OK
        || ngx_rooms_parse_state(ngx_rooms_reply_str(f[1]), &room->state)
           != NGX_OK
        || ngx_rooms_reply_count(f[8], &room->joined) != NGX_OK
        || ngx_rooms_reply_count(f[9], &room->invited) != NGX_OK
        || ngx_rooms_reply_count(f[10], &room->admins) != NGX_OK
        || ngx_rooms_reply_count(f[16], &room->big) != NGX_OK)
    {
        return NGX_ERROR;
    }

    room->id = id;
    room->name = ngx_rooms_reply_str(f[2]);
    room->topic = ngx_rooms_reply_str(f[3]);
    room->alias = ngx_rooms_reply_str(f[4]);
    room->workspace = ngx_rooms_reply_str(f[5]);
    room->federated = ngx_rooms_reply_int(f[6], 0) == 1;
    room->updated_at = ngx_rooms_reply_int(f[7], room->created_at);
    room->position = ngx_rooms_reply_int(f[11], 0);
    room->last_member = ngx_rooms_reply_str(f[12]);
    room->origin = ngx_rooms_reply_str(f[13]);
    room->peers = ngx_rooms_reply_str(f[14]);
    room->guests = ngx_rooms_reply_str(f[15]);
    room->origin_id = ngx_rooms_reply_str(f[17]);
    room->unaccepted = ngx_rooms_reply_int(f[18], 0) == 1;
    room->snapshot_at = ngx_rooms_reply_int(f[19], 0);
    room->messages = ngx_max(ngx_rooms_reply_int(f[20], 0), 0);

    /* whoever reads an unreadable one looks for themselves */
    room->redacted = ngx_rooms_reply_int(f[21], f[21] ? INT64_MAX : 0);

    if (rooms_utf8_length(room->name) < 0
        || rooms_utf8_length(room->topic) < 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_parse_member(rooms_str_t row, rooms_str_t participant,
    rooms_member_t *member)
{
    int      membership;
    int64_t  power;

    ngx_memzero(member, sizeof(rooms_member_t));
    member->participant = participant;
    member->number = -1;

    if (row.data == NULL) {
        return NGX_OK;
    }

    membership = rooms_membership_parse(ngx_rooms_word(&row));

    if (membership < 0
        || ngx_rooms_word_int(&row, ROOMS_POWER_MAX, &power) != NGX_OK
        || ngx_rooms_word_int(&row, INT64_MAX, &member->joined_at) != NGX_OK
        || ngx_rooms_word_int(&row, INT64_MAX, &member->position) != NGX_OK)
    {
        return NGX_ERROR;
    }

    member->membership = membership;
    member->power = power;

    return row.len == 0 ? NGX_OK
                        : ngx_rooms_word_int(&row, INT64_MAX,
                                             &member->number);
}


static rooms_str_t
ngx_rooms_format_row(ngx_pool_t *pool, const rooms_member_t *m,
    rooms_str_t position, rooms_str_t number)
{
    return ngx_rooms_join(pool,
                  rooms_cstr(rooms_membership_name(m->membership)),
                  ngx_rooms_s(" "), ngx_rooms_number(pool, m->power),
                  ngx_rooms_s(" "), ngx_rooms_number(pool, m->joined_at),
                  ngx_rooms_s(" "), position,
                  number.data ? ngx_rooms_s(" ") : ROOMS_NULL, number);
}


rooms_str_t
ngx_rooms_format_member(ngx_pool_t *pool, const rooms_member_t *m)
{
    return ngx_rooms_format_row(pool, m, ngx_rooms_number(pool, m->position),
                                m->number < 0
                                ? ROOMS_NULL
                                : ngx_rooms_number(pool, m->number));
}


rooms_str_t
ngx_rooms_format_begin(ngx_pool_t *pool, const rooms_member_t *m,
    ngx_uint_t first)
{
    return ngx_rooms_format_row(pool, m, ngx_rooms_s("\2"),
                                first ? ROOMS_NULL : ngx_rooms_s("\4"));
}


/*
 * The mode is a word, the mute ms, the read marker "position event number".
 * NULL: the default.
 */
ngx_int_t
ngx_rooms_parse_own(rooms_str_t mode, rooms_str_t mute, rooms_str_t marker,
    ngx_rooms_own_t *own)
{
    ngx_int_t  m;

    ngx_memzero(own, sizeof(ngx_rooms_own_t));

    if (mode.data) {
        m = ngx_rooms_mode_parse(mode);

        if (m < 0) {
            return NGX_ERROR;
        }

        own->mode = m;
    }

    if (mute.data
        && ngx_rooms_word_int(&mute, INT64_MAX, &own->muted_until) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (marker.data) {

        if (ngx_rooms_word_int(&marker, INT64_MAX, &own->position) != NGX_OK)
        {
            return NGX_ERROR;
        }

        own->event = ngx_rooms_word(&marker);

        /* a marker that was set before messages were counted has no number */

        if (!rooms_id_valid(own->event, "evt-")
            || (marker.len && ngx_rooms_word_int(&marker, INT64_MAX,
                                                 &own->number) != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


const char *
ngx_rooms_mode_name(ngx_rooms_mode_e mode)
{
    return ngx_rooms_modes[mode];
}


ngx_int_t
ngx_rooms_mode_parse(rooms_str_t s)
{
    ngx_int_t  i;

    for (i = 0; i < NGX_ROOMS_MODE_MAX; i++) {

        if (rooms_str_eq(s, rooms_cstr(ngx_rooms_modes[i]))) {
            return i;
        }
    }

    return -1;
}


/*
 * What a string says; NULL: the value is none.  Escapes are read in place: what
 * they stand for is shorter.
 */
static rooms_str_t
ngx_rooms_profile_str(rooms_str_t value)
{
    if (value.len < 2 || value.data[0] != '"') {
        return ROOMS_NULL;
    }

    value.data++;
    value.len -= 2;

    if (memchr(value.data, '\\', value.len)) {
        value.len = rooms_json_unescape(value, (u_char *) value.data,
                                        value.len);
    }

    return value;
}


static ngx_uint_t
ngx_rooms_profile_flag(rooms_str_t value)
{
    return rooms_str_eq(value, ngx_rooms_s("true"));
}


/* RFC 3339 in quotes; 0: it isn't valid. */
static int64_t
ngx_rooms_profile_time(rooms_str_t value)
{
    int64_t  ms;

    if (value.len < 2) {
        return 0;
    }

    ms = rooms_time_parse((rooms_str_t) { value.len - 2, value.data + 1 });

    return ms > 0 ? ms : 0;
}


ngx_int_t
ngx_rooms_parse_profile(ngx_pool_t *pool, rooms_str_t json, rooms_str_t id,
    ngx_rooms_profile_t *profile)
{
    int           i;
    rooms_str_t   key, value;

    enum {
        LOCAL = 0, NAME, WORKSPACE, TYPE, SERVER, AVATAR, CREATED, EMAIL, BIO,
        NAMED, DEACTIVATED, PROVISIONED, OWN_NAME, OWN_LOCAL, MEMBERS
    };

    rooms_str_t   raw[MEMBERS];

    /* in the order of ngx_rooms_format_profile() */

    static const rooms_str_t  members[MEMBERS] = {
        rooms_string("local_id"), rooms_string("display_name"),
        rooms_string("workspace_id"), rooms_string("participant_type"),
        rooms_string("server_name"), rooms_string("avatar_url"),
        rooms_string("created_at"), rooms_string("email"),
        rooms_string("bio"), rooms_string("named_at"),
        rooms_string("deactivated"), rooms_string("provisioned"),
        rooms_string("own_name"), rooms_string("own_local")
    };

    ngx_memzero(profile, sizeof(ngx_rooms_profile_t));
    profile->id = id;

    if (json.data == NULL) {
        profile->type = ngx_rooms_s("human");
        profile->local = id;
        profile->name = id;
        return NGX_DECLINED;
    }

    /* the reply may be gone before the profile: all strings are in one copy */

    json = ngx_rooms_dup(pool, json);

    if (json.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(raw, sizeof(raw));
    value = ROOMS_NULL;
    i = -1;

    while (rooms_json_next(json, &key, &value)) {
        i = rooms_json_key_of(key, members, MEMBERS, i);

        if (i >= 0) {
            raw[i] = value;
        }
    }

    if (!rooms_json_ends(json, value)) {
        return NGX_ERROR;
    }

    profile->local = ngx_rooms_profile_str(raw[LOCAL]);
    profile->name = ngx_rooms_profile_str(raw[NAME]);
    profile->workspace = ngx_rooms_profile_str(raw[WORKSPACE]);
    profile->type = ngx_rooms_profile_str(raw[TYPE]);
    profile->server = ngx_rooms_profile_str(raw[SERVER]);
    profile->avatar = ngx_rooms_profile_str(raw[AVATAR]);
    profile->email = ngx_rooms_profile_str(raw[EMAIL]);
    profile->bio = ngx_rooms_profile_str(raw[BIO]);
    profile->named = rooms_json_whole(raw[NAMED], 0);
    profile->created = ngx_rooms_profile_time(raw[CREATED]);
    profile->deactivated = ngx_rooms_profile_flag(raw[DEACTIVATED]);
    profile->provisioned = ngx_rooms_profile_flag(raw[PROVISIONED]);
    profile->own_name = ngx_rooms_profile_flag(raw[OWN_NAME]);
    profile->own_local = ngx_rooms_profile_flag(raw[OWN_LOCAL]);

    if (profile->local.data == NULL || profile->name.data == NULL
        || profile->type.data == NULL)
    {
        return NGX_ERROR;
    }

    if (profile->server.data) {
        profile->type = ngx_rooms_s("federated");
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_show_profile(ngx_pool_t *pool, ngx_log_t *log, rooms_str_t json,
    rooms_str_t id, ngx_rooms_profile_t *profile)
{
    ngx_int_t  rc;

    rc = ngx_rooms_parse_profile(pool, json, id, profile);

    if (rc != NGX_ERROR) {
        return rc;
    }

    ngx_rooms_unreadable(log, "profile of", id);

    return ngx_rooms_parse_profile(pool, ROOMS_NULL, id, profile);
}


rooms_str_t
ngx_rooms_format_profile(ngx_pool_t *pool, const ngx_rooms_profile_t *p,
    int64_t now)
{
    rooms_buf_t      *b;
    ngx_rooms_json_t  text;

    b = ngx_rooms_json(&text, pool);

    rooms_json_lit(b, "{\"local_id\":");
    rooms_json_str(b, p->local);
    rooms_json_lit(b, ",\"display_name\":");
    rooms_json_str(b, p->name);
    rooms_json_lit(b, ",\"workspace_id\":");
    rooms_json_str(b, p->workspace);
    rooms_json_lit(b, ",\"participant_type\":");
    rooms_json_str(b, p->type);
    rooms_json_lit(b, ",\"server_name\":");
    rooms_json_str(b, p->server);
    rooms_json_lit(b, ",\"avatar_url\":");
    rooms_json_str(b, p->avatar);
    rooms_json_lit(b, ",\"created_at\":");
    rooms_json_time(b, p->created ? p->created : now);

    /* fields that most profiles lack are only written if set */

    if (p->email.data) {
        rooms_json_lit(b, ",\"email\":");
        rooms_json_str(b, p->email);
    }

    if (p->bio.data) {
        rooms_json_lit(b, ",\"bio\":");
        rooms_json_str(b, p->bio);
    }

    if (p->named) {
        rooms_json_lit(b, ",\"named_at\":");
        rooms_json_int(b, p->named);
    }

    if (p->deactivated) {
        rooms_json_lit(b, ",\"deactivated\":true");
    }

    if (p->provisioned) {
        rooms_json_lit(b, ",\"provisioned\":true");
    }

    if (p->own_name) {
        rooms_json_lit(b, ",\"own_name\":true");
    }

    if (p->own_local) {
        rooms_json_lit(b, ",\"own_local\":true");
    }

    rooms_json_lit(b, "}");

    return ngx_rooms_json_end(&text);
}


ngx_int_t
ngx_rooms_parse_event(ngx_pool_t *pool, ngx_log_t *log, rooms_str_t row,
    rooms_str_t room, int64_t position, rooms_stored_t *e)
{
    rooms_stored_read(row, position, e);

    return ngx_rooms_show_event(pool, log, room, e);
}


ngx_int_t
ngx_rooms_show_event(ngx_pool_t *pool, ngx_log_t *log, rooms_str_t room,
    rooms_stored_t *e)
{
    size_t        size;
    u_char       *start;
    rooms_buf_t   b;

    if (!e->readable) {
        ngx_rooms_unreadable(log, "event of", room);
    }

    size = rooms_stored_shown(e, room);

    start = ngx_pnalloc(pool, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, start, size);
    rooms_stored_show(&b, e, room, ROOMS_NULL);

    return b.full ? NGX_ERROR : NGX_OK;
}


rooms_str_t
ngx_rooms_format_event(ngx_pool_t *pool, const rooms_stored_t *e)
{
    size_t        size;
    u_char       *start;
    rooms_buf_t   b;

    size = rooms_stored_size(e);

    start = ngx_pnalloc(pool, size);
    if (start == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, start, size);
    rooms_stored_write(&b, e);

    return b.full ? ROOMS_NULL : (rooms_str_t) { b.last - start, start };
}


void
ngx_rooms_unreadable(ngx_log_t *log, const char *what, rooms_str_t id)
{
    static time_t  said;

    /* a page may have hundreds of them, and be read again and again */

    if (said != ngx_time()) {
        said = ngx_time();
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "rooms: the store holds an unreadable %s \"%*s\"",
                      what, id.len, id.data);
    }
}


rooms_str_t
ngx_rooms_json_id(ngx_pool_t *pool, rooms_str_t value)
{
    u_char       *p;
    ptrdiff_t     len;
    rooms_str_t   id;

    id = value;

    if (id.len >= 2 && id.data[0] == '"') {
        id.data++;
        id.len -= 2;
    }

    if (id.len && memchr(id.data, '\\', id.len)) {
        p = ngx_pnalloc(pool, ROOMS_PARTICIPANT_MAX);
        if (p == NULL) {
            return ROOMS_NULL;
        }

        len = rooms_json_unescape(id, p, ROOMS_PARTICIPANT_MAX);
        id = (rooms_str_t) { len < 0 ? 0 : len, p };
    }

    return rooms_participant_valid(id) ? id : ROOMS_NULL;
}


int64_t
ngx_rooms_reply_down(redisReply *reply)
{
    off_t        n;
    rooms_str_t  s;

    s = ngx_rooms_reply_str(reply);

    if (s.len < 2 || s.data[0] != '-') {
        return 0;
    }

    n = ngx_atoof((u_char *) s.data + 1, s.len - 1);

    return n == NGX_ERROR ? 0 : n;
}
