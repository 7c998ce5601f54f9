/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The pure core: what a room may do.  Functions here take values and return
 * a value: no NGINX, no Redis, no clock, no allocation.  Every string of an
 * input must outlive the change that is decided from it; a change points
 * into its input and owns nothing.
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
    ROOMS_SIDEKICK,                   /* in the store, made by others */
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
    ROOMS_LEAVE = 0,                  /* no row: never was, or left */
    ROOMS_INVITE,
    ROOMS_JOIN,
    ROOMS_BAN,
    ROOMS_MEMBERSHIP_MAX
} rooms_membership_e;

typedef enum {
    ROOMS_OP_READ = 0,                /* GET: seen is enough */
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
    ROOMS_OP_FEDERATE,                /* federate, backfill */
    ROOMS_OP_FEDINVITE,               /* of somebody of another server */
    ROOMS_OP_EXPEL,                   /* a foreign participant, when
                                         federation with its server ends */
    ROOMS_OP_RETIRE,                  /* one who was deactivated goes */
    ROOMS_OP_ERASE,                   /* what one has said, wherever it is */
    ROOMS_OP_MAX
} rooms_op_e;

/* Error codes of the contract, sections 3, 4 and 8; order is no contract. */
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
    rooms_str_t         alias;            /* "slug", without # and server */
    rooms_str_t         workspace;        /* or NULL */
    rooms_str_t         peer[2];          /* a DM's sides, ordered bytewise */
    rooms_str_t         last_member;      /* of a room that emptied */
    uint32_t            joined;
    uint32_t            invited;
    uint32_t            admins;           /* joined members at 100 */
    int64_t             position;         /* of its last event */
    uint32_t            big;              /* bytes that no event exceeds;
                                             0: few */
    rooms_str_t         origin;           /* its server; NULL: this one */
    rooms_str_t         origin_id;        /* its id there; NULL: the same */
    unsigned            unaccepted:1;     /* a replica in which nobody of ours
                                             has joined or said anything */
    int64_t             told_at;          /* a replica: its home's position,
                                             as of what was told last */
    rooms_str_t         peers;            /* "server=members ...", or NULL */
    rooms_str_t         guests;           /* of those the merely invited ones,
                                             likewise */
} rooms_room_t;

typedef struct {
    rooms_str_t         participant;
    rooms_membership_e  membership;
    int                 power;            /* 0 unless joined */
    int64_t             joined_at;        /* ms; 0 unless joined */
    int64_t             position;         /* of the join, or of the invite;
                                             else 0 */
} rooms_member_t;


/* One target of an operation: who, and what the store knows of them. */
typedef struct {
    rooms_member_t      member;           /* their row, or ROOMS_LEAVE */
    unsigned            known:1;          /* a participant of the tenant */
    unsigned            gone:1;           /* ... who was deactivated */
} rooms_target_t;


/*
 * What a decision looks at.  `room` is NULL when the id names none.  `top`
 * holds the two first joined members in the order of succession (power
 * descending, then longest joined); n_top says how many there are.
 */
typedef struct {
    rooms_op_e             op;
    const rooms_room_t    *room;
    rooms_member_t         actor;         /* caller's row, or ROOMS_LEAVE */
    unsigned               tenant_admin:1;
    const rooms_target_t  *targets;       /* kick, ban, unban, power: one */
    unsigned               ntargets;      /* invite: up to ROOMS_BATCH_MAX */
    unsigned               batch:1;       /* invite: results, even of one */
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


/* Room fields: which are written, and which a decision relied on. */
#define ROOMS_F_STATE        0x0001
#define ROOMS_F_NAME         0x0002
#define ROOMS_F_TOPIC        0x0004
#define ROOMS_F_WORKSPACE    0x0008
#define ROOMS_F_FEDERATED    0x0010
#define ROOMS_F_LAST_MEMBER  0x0020
#define ROOMS_F_JOINED       0x0040       /* guards only: counters move */
#define ROOMS_F_ADMINS       0x0080       /* by member changes alone */
#define ROOMS_F_TOP          0x0100       /* guard: input.top is still so */
#define ROOMS_F_UPDATED      0x0200       /* updated_at = now */
#define ROOMS_F_OTHERS       0x0400       /* guard: two admins, or more */

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
 * One row that changes, or that must stay as it is (before == after in
 * membership and power: a guard alone).  The store derives the indexes and
 * the counters from the transition, nowhere else.
 */
typedef struct {
    rooms_member_t      before;
    rooms_member_t      after;
} rooms_transition_t;


/*
 * A verdict.  code != ROOMS_OK: nothing may be written, `message` says why
 * and `field` (may be NULL) names the part of the input that is at fault.
 * code == ROOMS_OK and noop: the answer is the room (or row) as it stands.
 */
typedef struct {
    rooms_code_e        code;
    const char         *message;
    const char         *field;

    unsigned            noop:1;
    unsigned            wipe:1;           /* delete every event for good */
    unsigned            capacity:1;       /* guard: joined + invited + seats
                                             <= max_participants */
    uint32_t            seats;

    unsigned            guard;            /* ROOMS_F_* of input.room */
    unsigned            write;            /* ROOMS_F_* of `room` */
    rooms_room_t        room;             /* as it will be */

    unsigned            nmembers;

    rooms_event_e       event;
    rooms_str_t         reason;
    rooms_member_t      successor;        /* participant NULL: nobody */

    /* invite of many: a code for each target, in the order of the input */
    rooms_code_e        results[ROOMS_BATCH_MAX];

    /*
     * The first nmembers of them; a snapshot may replace everybody.  What is
     * behind the first one is not cleared.
     */
    rooms_transition_t  members[2 * ROOMS_BATCH_MAX + 3];

    unsigned char       text[ROOMS_NAME_SIZE];  /* room.name may be here */
} rooms_change_t;


/* Decides every operation on a room that exists (or doesn't). */
void rooms_decide(const rooms_input_t *in, rooms_change_t *out);

/* Whether the caller sees the room (contract, section 3, "Sees"). */
int rooms_sees(const rooms_room_t *room, const rooms_member_t *actor,
    int tenant_admin);


/* What a new room is made of; workspace_role is the caller's there. */
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
 * POST /v1/rooms/dm.  `existing` is the pair's room or NULL; the change is
 * a creation, a restoring (write has ROOMS_F_STATE), or a no-op.
 */
void rooms_decide_dm(rooms_str_t id, rooms_str_t caller, rooms_str_t other,
    int other_known, const rooms_room_t *existing, int64_t now,
    rooms_change_t *out);


/*
 * A room that is at home on another server, as that one says it is.  `rows`
 * are those of whom it tells, with what is known of them here.
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
    const rooms_room_t        *room;      /* NULL: it isn't known yet */
    rooms_room_t               told;
    unsigned                   has_room:1; /* `told` is there */
    const rooms_mirror_row_t  *rows;
    unsigned                   nrows;
    rooms_event_e              event;     /* what it tells of */
    rooms_str_t                reason;
    uint32_t                   max_participants;
    int64_t                    now;       /* ms */
} rooms_mirror_t;

void rooms_mirror(const rooms_mirror_t *in, rooms_change_t *out);


/* What may be done to an event that was sent (rooms_message.c). */
#define ROOMS_EDIT_WINDOW  (INT64_C(24) * 3600 * 1000)     /* ms */
#define ROOMS_EMOJIS_MAX   50         /* different ones of one message */
#define ROOMS_EDITS_MAX    100        /* of one message: a redaction wipes
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
    unsigned            is_message:1;     /* swp.room.message, and no edit */
    unsigned            redacted:1;
    unsigned            reacted:1;        /* the caller, with this emoji */
    unsigned            edits;            /* how many there were */
    unsigned            emojis;           /* other ones than this, of all */
} rooms_message_t;

/*
 * Edit, redaction, reaction.  `in` is as for ROOMS_OP_SEND; `message` is NULL
 * when the id names no event of the room.  The change's event is the one to
 * append: ROOMS_EV_MESSAGE for an edit.
 */
void rooms_decide_message(const rooms_input_t *in, rooms_message_op_e op,
    const rooms_message_t *message, rooms_change_t *out);

/* NULL, or what is wrong with it, in words. */
const char *rooms_emoji_check(rooms_str_t emoji);  /* 1-32 code points */


/* Workspaces (rooms_workspace.c). */
typedef enum {
    ROOMS_WORKSPACE_READ = 0,         /* it, and its members */
    ROOMS_WORKSPACE_CHANGE,           /* name, description */
    ROOMS_WORKSPACE_DELETE,
    ROOMS_WORKSPACE_ADD,              /* a member, or another role of one */
    ROOMS_WORKSPACE_ROLE,             /* another role of a member */
    ROOMS_WORKSPACE_REMOVE            /* a member */
} rooms_workspace_op_e;

typedef struct {
    rooms_workspace_op_e  op;
    rooms_role_e          actor;      /* the caller's role; none: not in it */
    unsigned              personal:1;
    unsigned              used:1;     /* it has open rooms */
    uint32_t              owners;
    unsigned              known:1;    /* the target is a participant */
    unsigned              self:1;     /* the target is the caller */
    unsigned              person:1;   /* ... is whose personal one it is */
    rooms_role_e          had;        /* the target's */
    rooms_role_e          role;       /* ... and what it is to be */
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


/* Ids: "room-", "evt-", "ws-", "med-" and 26 Crockford base32 digits: 48
 * bits of milliseconds, 80 random bits; an event's are 13 hexadecimal digits
 * of its stream position and 16 random ones (so an id tells its position). */
#define ROOMS_ID_MAX  64
int rooms_id_valid(rooms_str_t id, const char *prefix);
size_t rooms_id_make(const char *prefix, int64_t ms,
    const unsigned char random[10], unsigned char *dst);
int64_t rooms_event_position(rooms_str_t event_id);    /* -1: no event id */
/* The same of an id without its "evt-". */
#define ROOMS_POSITION_DIGITS  13
#define ROOMS_EVENT_DIGITS     (ROOMS_POSITION_DIGITS + 16)
int64_t rooms_event_digits(rooms_str_t digits);
#define ROOMS_PARTICIPANT_MAX  255
int rooms_participant_valid(rooms_str_t id);           /* visible ASCII */
int rooms_tenant_valid(rooms_str_t id);

/*
 * A display name (1-128 code points) and a local id (1-128 of A-Z a-z 0-9
 * . _ ~ + - @), made of what a token says (rooms_person.c); NULL: nothing is
 * left.  raw is valid UTF-8; dst has room for ROOMS_NAME_SIZE bytes, or for
 * raw.len of a local id.
 */
#define ROOMS_LOCAL_CHARS    128
rooms_str_t rooms_display_name(rooms_str_t raw, unsigned char *dst);
rooms_str_t rooms_local_id(rooms_str_t raw, unsigned char *dst);
int rooms_local_char(unsigned char c);


/*
 * Participants of other servers (rooms_foreign.c) are called "@local:server"
 * here; nobody of this server can be, where it federates.  1, and the server:
 * it is such an id; self is our own server's name.
 */
int rooms_foreign(rooms_str_t id, rooms_str_t self, rooms_str_t *server);

/*
 * The servers in a room, "server=members ...", counting joined and invited:
 * takes the next, and 0 when there is none; all of them; those of one server,
 * and whether it has any; writes the list as it is after one has delta more,
 * at most peers.len + server.len + 16 bytes and a NUL, and returns its length.
 */
int rooms_peers_next(rooms_str_t *peers, rooms_str_t *server, uint32_t *n);
uint64_t rooms_peers_total(rooms_str_t peers);
uint32_t rooms_peers_count(rooms_str_t peers, rooms_str_t server);
int rooms_peers_has(rooms_str_t peers, rooms_str_t server);
size_t rooms_peers_move(rooms_str_t peers, rooms_str_t server, int delta,
    unsigned char *dst);

#endif /* ROOMS_H */
