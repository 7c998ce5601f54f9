/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The pure core: what a room may do.  Its functions take values and return a
 * value: no NGINX, no Redis, no clock, no allocation.  A change points into
 * its input and owns nothing, so every string of the input must outlive the
 * change.
 */

#ifndef ROOMS_H
#define ROOMS_H

#include "rooms_str.h"
#include "rooms_text.h"
#include "rooms_time.h"


#define ROOMS_POWER_MAX        100
#define ROOMS_POWER_MODERATE    50    /* kick, ban, rename, archive, ... */
#define ROOMS_BATCH_MAX        100    /* participant_ids of one invite */


typedef enum {
    ROOMS_GROUP = 0,
    ROOMS_PUBLIC,
    ROOMS_INCOGNITO,
    ROOMS_DM,
    ROOMS_SIDEKICK,                   /* may be in the store; we never create
                                         one */
    ROOMS_BRIDGE,                     /* likewise */
    ROOMS_TYPE_MAX
} rooms_type_e;

typedef enum {
    ROOMS_OPEN = 0,
    ROOMS_ARCHIVED,
    ROOMS_CLOSED,
    ROOMS_STATE_MAX
} rooms_state_e;

typedef enum {
    ROOMS_LEAVE = 0,                  /* no row: never was a member, or left */
    ROOMS_INVITE,
    ROOMS_JOIN,
    ROOMS_BAN,
    ROOMS_MEMBERSHIP_MAX
} rooms_membership_e;

typedef enum {
    ROOMS_OP_READ = 0,                /* GET: whoever sees the room */
    ROOMS_OP_READ_MEMBER,             /* members, messages: joined */
    ROOMS_OP_BANS,                    /* members?membership=ban */
    ROOMS_OP_JOIN,
    ROOMS_OP_LEAVE,
    ROOMS_OP_CLOSE,
    ROOMS_OP_ARCHIVE,
    ROOMS_OP_REJOIN,
    ROOMS_OP_INVITE,
    ROOMS_OP_KICK,
    ROOMS_OP_BAN,
    ROOMS_OP_UNBAN,
    ROOMS_OP_POWER,
    ROOMS_OP_NAME,
    ROOMS_OP_TOPIC,
    ROOMS_OP_WORKSPACE,
    ROOMS_OP_SETTINGS,                /* notification mode, mute, read */
    ROOMS_OP_SEND,
    ROOMS_OP_EXPORT,
    ROOMS_OP_FEDERATE,
    ROOMS_OP_BACKFILL,                /* imports history from another server */
    ROOMS_OP_FEDINVITE,               /* invites a participant of another
                                         server */
    ROOMS_OP_INVITATION,              /* the same, by a member */
    ROOMS_OP_EXPEL,                   /* a foreign participant, when
                                         federation with its server ends */
    ROOMS_OP_RETIRE,                  /* a deactivated participant leaves */
    ROOMS_OP_ERASE,                   /* redacts what a participant wrote, in
                                         any room */
    ROOMS_OP_MAX
} rooms_op_e;

/*
 * Error codes of the contract, sections 3, 4 and 8.  Their numbers may
 * change.
 */
typedef enum {
    ROOMS_OK = 0,
    ROOMS_E_VALIDATION,               /* 400 SW_VALIDATION_FAILED */
    ROOMS_E_NOT_FOUND,                /* 404 SW_ROOM_NOT_FOUND */
    ROOMS_E_FORBIDDEN,                /* 403 SW_ROOM_FORBIDDEN */
    ROOMS_E_FROZEN,                   /* 409 SW_ROOM_FROZEN */
    ROOMS_E_INVARIANT,                /* 400 SW_ROOM_TYPE_INVARIANT */
    ROOMS_E_EXPORT_REFUSED,           /* 400 SW_ROOM_EXPORT_REFUSED */
    ROOMS_E_LAST_ADMIN,               /* 409 SW_ROOM_LAST_ADMIN */
    ROOMS_E_CAPACITY,                 /* 409 SW_ROOM_CAPACITY */
    ROOMS_E_TENANT_CAPACITY,          /* 409 SW_TENANT_CAPACITY */
    ROOMS_E_PARTICIPANT,              /* 404 SW_PARTICIPANT_NOT_FOUND */
    ROOMS_E_WORKSPACE,                /* 404 SW_WORKSPACE_NOT_FOUND */
    ROOMS_E_WORKSPACE_FORBIDDEN,      /* 403 SW_WORKSPACE_FORBIDDEN */
    ROOMS_E_WORKSPACE_NEEDS_OWNER,    /* 409 SW_WORKSPACE_NEEDS_OWNER */
    ROOMS_E_WORKSPACE_PERSONAL,       /* 409 SW_WORKSPACE_PERSONAL */
    ROOMS_E_WORKSPACE_IN_USE,         /* 409 SW_WORKSPACE_IN_USE */
    ROOMS_E_EVENT,                    /* 404 SW_EVENT_NOT_FOUND */
    ROOMS_E_TOO_OLD,                  /* 409 SW_EVENT_TOO_OLD_TO_EDIT */
    ROOMS_E_REDACT,                   /* 403 SW_REDACT_FORBIDDEN */
    ROOMS_E_MAX
} rooms_code_e;

typedef enum {
    ROOMS_ROLE_NONE = 0,
    ROOMS_ROLE_VIEWER,
    ROOMS_ROLE_EDITOR,
    ROOMS_ROLE_OWNER
} rooms_role_e;


/* A room as the store holds it.  Times are milliseconds since the epoch. */
typedef struct {
    rooms_str_t         id;
    rooms_type_e        type;
    unsigned            incognito:1;      /* scope_kind "incognito" */
    unsigned            is_public:1;
    unsigned            close_on_leave:1; /* creator's leave closes it */
    unsigned            federated:1;
    rooms_state_e       state;
    rooms_str_t         creator;
    int64_t             created_at;
    int64_t             updated_at;
    rooms_str_t         name;             /* NULL for a DM */
    rooms_str_t         topic;            /* or NULL */
    rooms_str_t         alias;            /* or NULL; without # and server */
    rooms_str_t         workspace;        /* or NULL */
    rooms_str_t         peer[2];          /* a DM's sides, ordered bytewise */
    rooms_str_t         last_member;      /* of an emptied room: who left
                                             last */
    uint32_t            joined;
    uint32_t            invited;
    uint32_t            admins;           /* joined members at 100 */
    int64_t             position;         /* of its last event */
    uint32_t            big;              /* no event takes more bytes; 0:
                                             all are small */
    int64_t             messages;         /* how many were sent; the last
                                             one's number */
    int64_t             redacted;         /* the highest position of those
                                             that were redacted; 0: none */
    rooms_str_t         origin;           /* its home server; NULL: this one */
    rooms_str_t         origin_id;        /* its id there; NULL: the same */
    unsigned            unaccepted:1;     /* a replica that none of our
                                             participants has joined or
                                             written in */
    int64_t             snapshot_at;      /* of a replica: the home's
                                             position as of the snapshot used
                                             last */
    rooms_str_t         peers;            /* "server=members ..."
                                             (rooms_peers_next()), or NULL */
    rooms_str_t         guests;           /* the same, counting only those
                                             who are invited */
} rooms_room_t;

typedef struct {
    rooms_str_t         participant;
    rooms_membership_e  membership;
    int                 power;            /* 0 unless joined */
    int64_t             joined_at;        /* ms; 0 unless joined */
    int64_t             position;         /* of the join, or of the invite;
                                             else 0 */
    int64_t             number;           /* of the room's messages then; -1:
                                             not known */
} rooms_member_t;


/* One target of an operation, and what the store knows of it. */
typedef struct {
    rooms_member_t      member;           /* their row; ROOMS_LEAVE without
                                             one */
    unsigned            known:1;          /* a participant of the tenant */
    unsigned            gone:1;           /* ... who was deactivated */
} rooms_target_t;


/*
 * What a decision reads. `room` is NULL if there is no such room. `top` holds
 * the first two joined members in the order of succession (highest power
 * first, then longest joined); n_top is their number.
 */
typedef struct {
    rooms_op_e             op;
    const rooms_room_t    *room;
    rooms_member_t         actor;         /* caller's row; ROOMS_LEAVE
                                             without one */
    unsigned               tenant_admin:1;
    const rooms_target_t  *targets;       /* kick, ban, unban, power: exactly
                                             one */
    unsigned               ntargets;      /* invite: up to ROOMS_BATCH_MAX */
    unsigned               batch:1;       /* invite: a result for each
                                             target, even for one */
    rooms_member_t         top[2];
    unsigned               ntop;
    uint32_t               max_participants;
    rooms_role_e           workspace_role; /* in the target workspace */
    unsigned               workspace_known:1;
    rooms_str_t            text;          /* name, topic (or NULL), workspace
                                             id, reason of kick, ban, close */
    int                    power;         /* ROOMS_OP_POWER */
    unsigned               enabled:1;     /* ROOMS_OP_FEDERATE */
    unsigned               other_gone:1;  /* a DM's other side is deactivated */
    int64_t                now;           /* ms */
} rooms_input_t;


/* Fields of a room: which a change writes, and which it relied on. */
#define ROOMS_F_STATE        0x0001
#define ROOMS_F_NAME         0x0002
#define ROOMS_F_TOPIC        0x0004
#define ROOMS_F_WORKSPACE    0x0008
#define ROOMS_F_FEDERATED    0x0010
#define ROOMS_F_LAST_MEMBER  0x0020
#define ROOMS_F_JOINED       0x0040       /* guards only: changes of members */
#define ROOMS_F_ADMINS       0x0080       /* alone move these two counters */
#define ROOMS_F_TOP          0x0100       /* guard: input.top hasn't changed */
#define ROOMS_F_UPDATED      0x0200       /* updated_at = now */
#define ROOMS_F_OTHERS       0x0400       /* guard: there are two admins or
                                             more */

typedef enum {
    ROOMS_EV_NONE = 0,                    /* one's own settings */
    ROOMS_EV_CREATE,
    ROOMS_EV_MEMBER,
    ROOMS_EV_NAME,
    ROOMS_EV_TOPIC,
    ROOMS_EV_WORKSPACE,
    ROOMS_EV_STATE,
    ROOMS_EV_FEDERATION,
    ROOMS_EV_POWER_LEVEL,
    ROOMS_EV_MESSAGE,
    ROOMS_EV_REACTION,
    ROOMS_EV_REDACTION,
    ROOMS_EV_READ_MARKER,
    ROOMS_EV_MAX
} rooms_event_e;


/*
 * One row that changes, or that only must not have changed (before and after
 * are equal in membership and power: a guard).  The store derives indexes and
 * counters from these transitions alone.
 */
typedef struct {
    rooms_member_t      before;
    rooms_member_t      after;
} rooms_transition_t;


/*
 * A verdict. code != ROOMS_OK: nothing may be written; `message` says why,
 * and `field` (may be NULL) names the part of the input at fault. code ==
 * ROOMS_OK and noop: nothing changes, and the answer shows the room or row as
 * it is.
 */
typedef struct {
    rooms_code_e        code;
    const char         *message;
    const char         *field;

    unsigned            noop:1;
    unsigned            wipe:1;           /* delete all events for good */
    unsigned            capacity:1;       /* guard: joined + invited + seats
                                             <= max_participants */
    uint32_t            seats;

    unsigned            guard;            /* ROOMS_F_* of input.room */
    unsigned            write;            /* ROOMS_F_* of `room` that change */
    rooms_room_t        room;             /* after the change */

    unsigned            nmembers;

    rooms_event_e       event;
    rooms_str_t         reason;
    rooms_member_t      successor;        /* participant NULL: nobody */

    /* invite of many: a code for each target, in order */
    rooms_code_e        results[ROOMS_BATCH_MAX];

    /*
     * The first nmembers of these; a snapshot may replace everybody.  The
     * others are not cleared.
     */
    rooms_transition_t  members[2 * ROOMS_BATCH_MAX + 3];

    unsigned char       text[ROOMS_NAME_SIZE];  /* room.name may point here */
} rooms_change_t;


/* Decides any operation on a room, whether the room exists or not. */
void rooms_decide(const rooms_input_t *in, rooms_change_t *out);

/* Whether the caller sees the room (contract, section 3, "Sees"). */
int rooms_sees(const rooms_room_t *room, const rooms_member_t *actor,
    int tenant_admin);


/*
 * What a new room is created from. workspace_role is the caller's role there.
 */
typedef struct {
    rooms_str_t         id;
    rooms_str_t         type;             /* as the client wrote it */
    rooms_str_t         name;             /* NULL: absent */
    rooms_str_t         topic;
    rooms_str_t         scope;
    int                 is_public;        /* -1 absent, 0, 1 */
    int                 close_on_leave;   /* -1 absent, 0, 1 */
    rooms_str_t         workspace;
    unsigned            workspace_known:1;
    rooms_role_e        workspace_role;
    rooms_str_t         creator;
    int64_t             now;
} rooms_create_t;

/* POST /v1/rooms: type, scope, name, topic; the creator joins at 100. */
void rooms_decide_create(const rooms_create_t *in, rooms_change_t *out);

/*
 * POST /v1/rooms/dm. `existing` is the pair's room or NULL.  The change
 * creates a room, restores the old one (write has ROOMS_F_STATE), or is a
 * no-op.
 */
void rooms_decide_dm(rooms_str_t id, rooms_str_t caller, rooms_str_t other,
    int other_known, const rooms_room_t *existing, int64_t now,
    rooms_change_t *out);


/*
 * What the home of a room says about it. `rows` are the participants that it
 * names, with what we know of them.
 */
typedef struct {
    rooms_member_t        before;
    rooms_membership_e    membership;
    int                   power;
    int64_t               joined_at;
    unsigned              ours:1;         /* a participant of this server */
    unsigned              gone:1;         /* ... who was deactivated */
} rooms_mirror_row_t;

typedef struct {
    const rooms_room_t        *room;      /* NULL: we have no replica yet */
    rooms_room_t               remote;
    unsigned                   has_room:1; /* `remote` is set */
    const rooms_mirror_row_t  *rows;
    unsigned                   nrows;
    rooms_event_e              event;     /* the kind of event that arrived */
    rooms_str_t                reason;
    uint32_t                   max_participants;
    int64_t                    now;       /* ms */
} rooms_mirror_t;

void rooms_mirror(const rooms_mirror_t *in, rooms_change_t *out);


/* What may be done to a sent event (rooms_message.c). */
#define ROOMS_EDIT_WINDOW  (INT64_C(24) * 3600 * 1000)     /* ms */
#define ROOMS_EMOJIS_MAX   50         /* different ones on one message */
#define ROOMS_EDITS_MAX    100        /* of one message; a redaction wipes
                                         them all in one commit */

typedef enum {
    ROOMS_MESSAGE_EDIT = 0,
    ROOMS_MESSAGE_REDACT,
    ROOMS_MESSAGE_REACT,
    ROOMS_MESSAGE_UNREACT
} rooms_message_op_e;

typedef struct {
    rooms_str_t         sender;
    int64_t             created_at;       /* ms */
    unsigned            is_message:1;     /* swp.room.message, and not an
                                             edit */
    unsigned            redacted:1;
    unsigned            reacted:1;        /* the caller reacted with this
                                             emoji */
    unsigned            edits;            /* how many edits it has */
    unsigned            emojis;           /* how many other emojis it has,
                                             from anybody */
} rooms_message_t;

/*
 * Edits, redactions, reactions. `in` is as for ROOMS_OP_SEND; `message` is
 * NULL if the room has no such event.  The change's event is the one to
 * append; an edit appends ROOMS_EV_MESSAGE.
 */
void rooms_decide_message(const rooms_input_t *in, rooms_message_op_e op,
    const rooms_message_t *message, rooms_change_t *out);

/* NULL, or a text that says what is wrong. */
const char *rooms_emoji_check(rooms_str_t emoji);  /* 1-32 code points */


/* Workspaces (rooms_workspace.c). */
typedef enum {
    ROOMS_WORKSPACE_READ = 0,         /* the workspace, and its members */
    ROOMS_WORKSPACE_CHANGE,           /* name, description */
    ROOMS_WORKSPACE_DELETE,
    ROOMS_WORKSPACE_ADD,              /* a member, or change a member's role */
    ROOMS_WORKSPACE_ROLE,             /* change a member's role */
    ROOMS_WORKSPACE_REMOVE            /* a member */
} rooms_workspace_op_e;

typedef struct {
    rooms_workspace_op_e  op;
    rooms_role_e          actor;      /* the caller's role; none: not a
                                         member */
    unsigned              personal:1;
    unsigned              used:1;     /* it has open rooms */
    uint32_t              owners;
    unsigned              known:1;    /* the target is a participant */
    unsigned              self:1;     /* the target is the caller */
    unsigned              person:1;   /* the workspace is the target's
                                         personal one */
    rooms_role_e          had;        /* the target's role */
    rooms_role_e          role;       /* ... and the role it gets */
} rooms_workspace_t;

rooms_code_e rooms_decide_workspace(const rooms_workspace_t *in);


/* Names of the enums as the contract spells them; NULL outside them. */
const char *rooms_type_name(rooms_type_e type);
const char *rooms_state_name(rooms_state_e state);
const char *rooms_membership_name(rooms_membership_e membership);
const char *rooms_event_name(rooms_event_e event);     /* "swp.room.…" */
const char *rooms_role_name(rooms_role_e role);
int rooms_type_parse(rooms_str_t s);                   /* -1: none */
int rooms_membership_parse(rooms_str_t s);
int rooms_role_parse(rooms_str_t s);


/*
 * Ids: a prefix ("room-", "evt-", "ws-", "med-") and 26 Crockford base32
 * digits: 48 bits of milliseconds, 80 random bits.  An event's id has 13
 * hexadecimal digits of its stream position and 16 random ones, so the id
 * tells the position.
 */
#define ROOMS_ID_MAX  64
int rooms_id_valid(rooms_str_t id, const char *prefix);
size_t rooms_id_make(const char *prefix, int64_t ms,
    const unsigned char random[10], unsigned char *dst);

/*
 * The position that the clock gives (ms since 1970): 8 for each millisecond
 * since 2020, so that positions and times go together.
 */
#define ROOMS_POSITIONS_FROM  INT64_C(1577836800000)
#define ROOMS_POSITIONS_MS    8
#define ROOMS_POSITIONS_MAX   ((INT64_C(1) << 44) - (INT64_C(1) << 41))
int64_t rooms_position_at(int64_t ms);
/* The same for the time in a room's id; 0 for an id of another form. */
int64_t rooms_id_position(rooms_str_t room);

int64_t rooms_event_position(rooms_str_t event_id);    /* -1: not an event's
                                                          id */
/* The same for an id without its "evt-". */
#define ROOMS_POSITION_DIGITS  13
#define ROOMS_POSITION_MASK    ((INT64_C(1) << (4 * ROOMS_POSITION_DIGITS)) - 1)
#define ROOMS_EVENT_DIGITS     (ROOMS_POSITION_DIGITS + 16)
int64_t rooms_event_digits(rooms_str_t digits);
#define ROOMS_PARTICIPANT_MAX  255
int rooms_participant_valid(rooms_str_t id);           /* visible ASCII */
int rooms_tenant_valid(rooms_str_t id);

/*
 * Make a display name (1 to 128 code points) or a local id (1 to 128 of A-Z
 * a-z 0-9 . _ ~ + - @) of a token's claim (rooms_person.c).  NULL: nothing is
 * left. raw is valid UTF-8; dst has room for ROOMS_NAME_SIZE bytes, or
 * raw.len for a local id.
 */
#define ROOMS_LOCAL_CHARS    128
rooms_str_t rooms_display_name(rooms_str_t raw, unsigned char *dst);
rooms_str_t rooms_local_id(rooms_str_t raw, unsigned char *dst);
int rooms_local_char(unsigned char c);


/*
 * A participant of another server has an id like "@local:server"
 * (rooms_foreign.c).  A server that federates has no such ids of its own.
 * Returns 1 and sets *server if the id is one; self is our server's name.
 */
int rooms_foreign(rooms_str_t id, rooms_str_t self, rooms_str_t *server);

/*
 * The list of servers in a room, "server=members ...", counting joined and
 * invited participants.  In order: take the next off the list (0: there are
 * no more); the sum; the count of one server; whether that is above 0; write
 * the list with delta added to one server.  The last writes at most peers.len
 * + server.len + 16 bytes and a NUL, and returns the length.
 */
int rooms_peers_next(rooms_str_t *peers, rooms_str_t *server, uint32_t *n);
uint64_t rooms_peers_total(rooms_str_t peers);
uint32_t rooms_peers_count(rooms_str_t peers, rooms_str_t server);
int rooms_peers_has(rooms_str_t peers, rooms_str_t server);
size_t rooms_peers_move(rooms_str_t peers, rooms_str_t server, int delta,
    unsigned char *dst);

#endif /* ROOMS_H */
