/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Kind of room x state x operation x role of the caller, against tables that
 * were written by hand from the contract, section 3.
 *
 * A column is a role:
 *
 *     s  stranger                     A  joined, power 100
 *     i  invited                      C  creator, joined, demoted to 0
 *     0  joined, power 0              b  banned
 *     4  joined, power 49             l  last member of an emptied room
 *     5  joined, power 50             T  tenant admin, stranger
 *     9  joined, power 99             E  tenant admin at an emptied room
 *
 * A cell is the verdict:
 *
 *     +  a change                     Z  ROOM_FROZEN
 *     .  allowed, nothing to write    I  TYPE_INVARIANT
 *     N  ROOM_NOT_FOUND               X  EXPORT_REFUSED
 *     F  ROOM_FORBIDDEN               ?  can not be
 */

#include "rooms_test.h"


#define ROLES  "si0459ACblTE"


typedef struct {
    const char  *name;
    const char  *cells;
} line_t;

typedef struct {
    const char     *kind;
    rooms_type_e    type;
    int             incognito;
    int             is_public;
    const line_t   *table[ROOMS_STATE_MAX];
    /* lines of this kind, which replace the table's */
    const line_t   *differs[ROOMS_STATE_MAX];
} kind_t;


static const char *const  op_names[ROOMS_OP_MAX] = {
    "read", "read_member", "bans", "join", "leave", "close", "archive",
    "rejoin", "invite", "kick", "ban", "unban", "power", "name", "topic",
    "workspace", "settings", "send", "export", "federate", "backfill",
    "fedinvite", "invitation", "expel", "retire", "erase"
};

static const line_t  private_open[] = {
    /*               si0459ACblTE */
    { "read",       "N.......N?N?" },
    { "read_member", "NF......N?N?" },
    { "bans",       "NFFF...FN?N?" },
    { "join",       "N+......N?N?" },
    { "leave",      "N+++++++N?N?" },
    { "close",      "NFFFFF++N?N?" },
    { "archive",    "NFFF+++FN?N?" },
    { "rejoin",     "NFFF...FN?N?" },
    { "invite",     "NF++++++N?N?" },
    { "kick",       "NFFF+++FN?N?" },
    { "ban",        "NFFF+++FN?N?" },
    { "unban",      "NFFF+++FN?N?" },
    { "power",      "NFFF+++FN?+?" },
    { "name",       "NFFF+++FN?N?" },
    { "topic",      "NFFF+++FN?N?" },
    { "workspace",  "NFFF+++FN?N?" },
    { "settings",   "NF++++++N?N?" },
    { "send",       "NF++++++N?N?" },
    { "export",     "NF......N?N?" },
    { "federate",   "NFFFFFFFN?+?" },
    { "backfill",   "NFFFFFFFN?.?" },
    { "fedinvite",  "NF++++++N?+?" },
    { "invitation", "NF++++++N?N?" },
    { "expel",      "NFFFFFFFN?+?" },
    { "retire",     "NFFFFFFFN?.?" },
    { "erase",      "NFFFFFFFN?+?" },
    { NULL, NULL }
};

static const line_t  private_archived[] = {
    /*               si0459ACblTE */
    { "read",       "N.......N.N." },
    { "read_member", "NF......NFNF" },
    { "bans",       "NFFF...FNFNF" },
    { "join",       "NZZZZZZZNFNF" },
    { "leave",      "N+++++++NFNF" },
    { "close",      "NFFFFF++NFNF" },
    { "archive",    "NFFF...FNFNF" },
    { "rejoin",     "NFFF+++FN+N+" },
    { "invite",     "NFZZZZZZNFNF" },
    { "kick",       "NFZZZZZZNFNF" },
    { "ban",        "NFZZZZZZNFNF" },
    { "unban",      "NFZZZZZZNFNF" },
    { "power",      "NFZZZZZZNFZZ" },
    { "name",       "NFZZZZZZNFNF" },
    { "topic",      "NFZZZZZZNFNF" },
    { "workspace",  "NFZZZZZZNFNF" },
    { "settings",   "NF++++++NFNF" },
    { "send",       "NFZZZZZZNFNF" },
    { "export",     "NF......NFNF" },
    { "federate",   "NFZZZZZZNFZZ" },
    { "backfill",   "NFZZZZZZNFZZ" },
    { "fedinvite",  "NFZZZZZZNFZZ" },
    { "invitation", "NFZZZZZZNFNF" },
    { "expel",      "NFFFFFFFNF+?" },
    { "retire",     "NFFFFFFFNF.?" },
    { "erase",      "NFFFFFFFNF+?" },
    { NULL, NULL }
};

static const line_t  private_closed[] = {
    /*               si0459ACblTE */
    { "read",       "N.......N.NN" },
    { "read_member", "NF......NFNN" },
    { "bans",       "NFFF...FNFNN" },
    { "join",       "NZZZZZZZNFNN" },
    { "leave",      "N+++++++NFNN" },
    { "close",      "NFFFFF..NFNN" },
    { "archive",    "NFZZZZZZNFNN" },
    { "rejoin",     "NFZZZZZZNZNN" },
    { "invite",     "NFZZZZZZNFNN" },
    { "kick",       "NFZZZZZZNFNN" },
    { "ban",        "NFZZZZZZNFNN" },
    { "unban",      "NFZZZZZZNFNN" },
    { "power",      "NFZZZZZZNFZZ" },
    { "name",       "NFZZZZZZNFNN" },
    { "topic",      "NFZZZZZZNFNN" },
    { "workspace",  "NFZZZZZZNFNN" },
    { "settings",   "NF++++++NFNN" },
    { "send",       "NFZZZZZZNFNN" },
    { "export",     "NF......NFNN" },
    { "federate",   "NFZZZZZZNFZZ" },
    { "backfill",   "NFZZZZZZNFZZ" },
    { "fedinvite",  "NFZZZZZZNFZZ" },
    { "invitation", "NFZZZZZZNFNN" },
    { "expel",      "NFFFFFFFNF+?" },
    { "retire",     "NFFFFFFFNF.?" },
    { "erase",      "NFFFFFFFNF+?" },
    { NULL, NULL }
};

static const line_t  public_open[] = {
    /*               si0459ACblTE */
    { "read",       ".........?.?" },
    { "read_member", "FF......F?F?" },
    { "bans",       "FFFF...FF?F?" },
    { "join",       "++......F?+?" },
    { "leave",      "F+++++++F?F?" },
    { "close",      "FFFFFF++F?F?" },
    { "archive",    "FFFF+++FF?F?" },
    { "rejoin",     "FFFF...FF?F?" },
    { "invite",     "FF++++++F?F?" },
    { "kick",       "FFFF+++FF?F?" },
    { "ban",        "FFFF+++FF?F?" },
    { "unban",      "FFFF+++FF?F?" },
    { "power",      "FFFF+++FF?+?" },
    { "name",       "FFFF+++FF?F?" },
    { "topic",      "FFFF+++FF?F?" },
    { "workspace",  "FFFF+++FF?F?" },
    { "settings",   "FF++++++F?F?" },
    { "send",       "FF++++++F?F?" },
    { "export",     "FF......F?F?" },
    { "federate",   "FFFFFFFFF?+?" },
    { "backfill",   "FFFFFFFFF?.?" },
    { "fedinvite",  "FF++++++F?+?" },
    { "invitation", "FF++++++F?F?" },
    { "expel",      "FFFFFFFFF?+?" },
    { "retire",     "FFFFFFFFF?.?" },
    { "erase",      "FFFFFFFFF?+?" },
    { NULL, NULL }
};

/* Only members see it now, like a private room. */

static const line_t  public_archived[] = {
    { "join",       "NZZZZZZZNZNZ" },
    { NULL, NULL }
};

static const line_t  public_closed[] = {
    { "join",       "NZZZZZZZNZNN" },
    { NULL, NULL }
};

static const line_t  incognito_open[] = {
    { "export",     "NFXXXXXXN?N?" },
    { "federate",   "NFIIIIIIN?I?" },
    { "backfill",   "NFIIIIIIN?I?" },
    { "fedinvite",  "NFIIIIIIN?I?" },
    { "invitation", "NFIIIIIIN?N?" },
    { NULL, NULL }
};

static const line_t  incognito_archived[] = {
    { "join",       "NZZZZZZZNINI" },
    { "export",     "NFXXXXXXNFNF" },
    { "federate",   "NFIIIIIINFII" },
    { "backfill",   "NFIIIIIINFII" },
    { "fedinvite",  "NFIIIIIINFII" },
    { "invitation", "NFIIIIIINFNF" },
    { NULL, NULL }
};

static const line_t  incognito_closed[] = {
    { "join",       "NZZZZZZZNINN" },
    { "export",     "NFXXXXXXNFNN" },
    { "federate",   "NFIIIIIINFII" },
    { "backfill",   "NFIIIIIINFII" },
    { "fedinvite",  "NFIIIIIINFII" },
    { "invitation", "NFIIIIIINFNN" },
    { NULL, NULL }
};

static const line_t  others_archived[] = {
    { "export",     "NFXXXXXXNFNF" },
    { "federate",   "NFIIIIIINFII" },
    { "backfill",   "NFIIIIIINFII" },
    { "fedinvite",  "NFIIIIIINFII" },
    { "invitation", "NFIIIIIINFNF" },
    { NULL, NULL }
};

static const line_t  others_closed[] = {
    { "export",     "NFXXXXXXNFNN" },
    { "federate",   "NFIIIIIINFII" },
    { "backfill",   "NFIIIIIINFII" },
    { "fedinvite",  "NFIIIIIINFII" },
    { "invitation", "NFIIIIIINFNN" },
    { NULL, NULL }
};

static const line_t  dm_open[] = {
    /*               si0459ACblTE */
    { "read",       "N?......??N?" },
    { "read_member", "N?......??N?" },
    { "bans",       "N?FF...F??N?" },
    { "join",       "N?IIIIII??N?" },
    { "leave",      "N?IIIIII??N?" },
    { "close",      "N?FFFF++??N?" },
    { "archive",    "N?++++++??N?" },
    { "rejoin",     "N?......??N?" },
    { "invite",     "N?IIIIII??N?" },
    { "kick",       "N?IIIIII??N?" },
    { "ban",        "N?IIIIII??N?" },
    { "unban",      "N?IIIIII??N?" },
    { "power",      "N?IIIIII??I?" },
    { "name",       "N?IIIIII??N?" },
    { "topic",      "N?FF+++F??N?" },
    { "workspace",  "N?IIIIII??N?" },
    { "settings",   "N?++++++??N?" },
    { "send",       "N?++++++??N?" },
    { "export",     "N?......??N?" },
    { "federate",   "N?IIIIII??I?" },
    { "backfill",   "N?IIIIII??I?" },
    { "fedinvite",  "N?IIIIII??I?" },
    { "invitation", "N?IIIIII??N?" },
    { "expel",      "N?FFFFFF??+?" },
    { "retire",     "N?FFFFFF??.?" },
    { "erase",      "N?FFFFFF??+?" },
    { NULL, NULL }
};

static const line_t  dm_archived[] = {
    { "archive",    "N?......??N?" },
    { "rejoin",     "N?++++++??N?" },
    { "topic",      "N?ZZZZZZ??N?" },
    { "send",       "N?ZZZZZZ??N?" },
    { NULL, NULL }
};

static const line_t  dm_closed[] = {
    { "close",      "N?FFFF..??N?" },
    { "archive",    "N?ZZZZZZ??N?" },
    { "rejoin",     "N?ZZZZZZ??N?" },
    { "topic",      "N?ZZZZZZ??N?" },
    { "send",       "N?ZZZZZZ??N?" },
    { NULL, NULL }
};

static const kind_t  kinds[] = {
    { "group", ROOMS_GROUP, 0, 0,
      { private_open, private_archived, private_closed },
      { NULL, NULL, NULL } },
    { "public group", ROOMS_GROUP, 0, 1,
      { public_open, private_archived, private_closed },
      { NULL, public_archived, public_closed } },
    { "public", ROOMS_PUBLIC, 0, 1,
      { public_open, private_archived, private_closed },
      { NULL, public_archived, public_closed } },
    { "incognito", ROOMS_INCOGNITO, 1, 0,
      { private_open, private_archived, private_closed },
      { incognito_open, incognito_archived, incognito_closed } },
    { "incognito group", ROOMS_GROUP, 1, 0,
      { private_open, private_archived, private_closed },
      { incognito_open, incognito_archived, incognito_closed } },
    { "dm", ROOMS_DM, 0, 0,
      { dm_open, dm_open, dm_open },
      { NULL, dm_archived, dm_closed } },
    { "sidekick", ROOMS_SIDEKICK, 0, 0,
      { private_open, private_archived, private_closed },
      { incognito_open, others_archived, others_closed } },
    { "bridge", ROOMS_BRIDGE, 0, 0,
      { private_open, private_archived, private_closed },
      { incognito_open, others_archived, others_closed } },
};


static const char *
line_of(const line_t *lines, const char *name)
{
    for ( /* void */ ; lines && lines->name; lines++) {
        if (strcmp(lines->name, name) == 0) {
            assert_int_equal(strlen(lines->cells), strlen(ROLES));
            return lines->cells;
        }
    }

    return NULL;
}


static void
set_role(char role, rooms_room_t *room, rooms_input_t *in)
{
    int  power;

    switch (role) {

    case 'T':
        in->tenant_admin = 1;
        return;

    case 'i':
        in->actor = row("ann", ROOMS_INVITE, 0);
        room->invited = 1;
        return;

    case 'b':
        in->actor = row("ann", ROOMS_BAN, 0);
        return;

    case 'l':
    case 'E':
        in->tenant_admin = (role == 'E');
        in->ntop = 0;
        room->joined = 0;
        room->admins = 0;
        room->last_member = rooms_cstr((role == 'l') ? "ann" : "lena");
        return;

    case 's':
        return;
    }

    power = (role == 'C' || role == '0') ? 0
            : (role == '4') ? 49
            : (role == '5') ? 50
            : (role == '9') ? 99 : 100;

    in->actor = row("ann", ROOMS_JOIN, power);
    room->joined++;
    room->admins += (power == 100);

    if (role == 'C') {
        room->creator = rooms_cstr("ann");
    }
}


static char
verdict(const rooms_change_t *c)
{
    switch (c->code) {
    case ROOMS_OK:
        return c->noop ? '.' : '+';
    case ROOMS_E_NOT_FOUND:
        return 'N';
    case ROOMS_E_FORBIDDEN:
        return 'F';
    case ROOMS_E_FROZEN:
        return 'Z';
    case ROOMS_E_INVARIANT:
        return 'I';
    case ROOMS_E_EXPORT_REFUSED:
        return 'X';
    default:
        return '!';
    }
}


/* What a change of each kind contains, whoever makes it. */

static void
check_change(const kind_t *kind, char role, const rooms_input_t *in,
    const rooms_change_t *c)
{
    unsigned  flags;

    static const struct {
        rooms_event_e  event;
        unsigned       write;
        unsigned       guard;
    } expected[ROOMS_OP_MAX] = {
        [ROOMS_OP_JOIN] = { ROOMS_EV_MEMBER, 0, ROOMS_F_STATE },
        [ROOMS_OP_CLOSE] = { ROOMS_EV_STATE, ROOMS_F_STATE|ROOMS_F_UPDATED,
                             ROOMS_F_STATE },
        [ROOMS_OP_ARCHIVE] = { ROOMS_EV_STATE, ROOMS_F_STATE|ROOMS_F_UPDATED,
                               ROOMS_F_STATE },
        [ROOMS_OP_INVITE] = { ROOMS_EV_MEMBER, 0, ROOMS_F_STATE },
        [ROOMS_OP_KICK] = { ROOMS_EV_MEMBER, 0, ROOMS_F_STATE },
        [ROOMS_OP_BAN] = { ROOMS_EV_MEMBER, 0, ROOMS_F_STATE },
        [ROOMS_OP_UNBAN] = { ROOMS_EV_MEMBER, 0, ROOMS_F_STATE },
        [ROOMS_OP_POWER] = { ROOMS_EV_POWER_LEVEL, 0, ROOMS_F_STATE },
        [ROOMS_OP_NAME] = { ROOMS_EV_NAME, ROOMS_F_NAME|ROOMS_F_UPDATED,
                            ROOMS_F_STATE },
        [ROOMS_OP_TOPIC] = { ROOMS_EV_TOPIC, ROOMS_F_TOPIC|ROOMS_F_UPDATED,
                             ROOMS_F_STATE },
        [ROOMS_OP_WORKSPACE] = { ROOMS_EV_WORKSPACE,
                                 ROOMS_F_WORKSPACE|ROOMS_F_UPDATED,
                                 ROOMS_F_STATE },
        [ROOMS_OP_SETTINGS] = { ROOMS_EV_NONE, 0, 0 },
        [ROOMS_OP_SEND] = { ROOMS_EV_MESSAGE, 0, ROOMS_F_STATE },
        [ROOMS_OP_FEDERATE] = { ROOMS_EV_FEDERATION,
                                ROOMS_F_FEDERATED|ROOMS_F_UPDATED,
                                ROOMS_F_STATE|ROOMS_F_FEDERATED },
        [ROOMS_OP_FEDINVITE] = { ROOMS_EV_MEMBER, 0,
                                 ROOMS_F_STATE|ROOMS_F_FEDERATED },
        [ROOMS_OP_INVITATION] = { ROOMS_EV_MEMBER, 0,
                                  ROOMS_F_STATE|ROOMS_F_FEDERATED },
        [ROOMS_OP_EXPEL] = { ROOMS_EV_MEMBER, 0, ROOMS_F_STATE },
        [ROOMS_OP_ERASE] = { ROOMS_EV_MESSAGE, 0, ROOMS_F_STATE },
    };

    assert_null(c->message);
    assert_null(c->field);

    if (in->op == ROOMS_OP_LEAVE) {
        flags = (role == 'A') ? ROOMS_F_OTHERS : 0;

        if (role == 'C' && kind->incognito) {
            assert_int_equal(c->wipe, 1);
            assert_int_equal(c->room.state, ROOMS_CLOSED);
            assert_int_equal(c->event, in->room->state == ROOMS_CLOSED
                                       ? ROOMS_EV_MEMBER : ROOMS_EV_STATE);

        } else {
            assert_int_equal(c->wipe, 0);
            assert_int_equal(c->event, ROOMS_EV_MEMBER);
            assert_int_equal(c->write, 0);
        }

        assert_int_equal(c->guard, ROOMS_F_STATE|flags);

    } else if (in->op == ROOMS_OP_REJOIN) {
        flags = (role == 'l' || role == 'E') ? ROOMS_F_LAST_MEMBER : 0;

        assert_int_equal(c->event, ROOMS_EV_STATE);
        assert_int_equal(c->write, ROOMS_F_STATE|ROOMS_F_UPDATED|flags);
        assert_int_equal(c->guard, ROOMS_F_STATE | flags
                                   | (flags ? ROOMS_F_JOINED : 0));

    } else {
        flags = 0;

        if (in->op == ROOMS_OP_EXPEL && in->room->type == ROOMS_DM
            && in->room->state != ROOMS_CLOSED)
        {
            flags = ROOMS_F_STATE|ROOMS_F_UPDATED;
            assert_int_equal(c->room.state, ROOMS_CLOSED);
        }

        assert_int_equal(c->event, expected[in->op].event);
        assert_int_equal(c->write, expected[in->op].write | flags);
        assert_int_equal(c->guard, expected[in->op].guard);
        assert_int_equal(c->wipe, 0);
    }

    assert_int_equal(c->room.updated_at,
                     (c->write & ROOMS_F_UPDATED) ? NOW : OLD);

    if ((in->op == ROOMS_OP_POWER || in->op == ROOMS_OP_FEDERATE
         || in->op == ROOMS_OP_FEDINVITE || in->op == ROOMS_OP_EXPEL
         || in->op == ROOMS_OP_ERASE)
        && in->tenant_admin)
    {
        assert_null(transition(c, "ann"));

    } else {
        assert_non_null(transition(c, "ann"));
    }
}


static void
check_cell(const kind_t *kind, rooms_state_e state, rooms_op_e op,
    char role, char expected)
{
    char            got;
    rooms_room_t    room;
    rooms_input_t   in;
    rooms_target_t  tom;
    rooms_change_t  c;

    room = room_of(kind->type);
    room.incognito = kind->incognito;
    room.is_public = kind->is_public;
    room.close_on_leave = kind->incognito;
    room.state = state;

    in = input_of(op, &room, row("ann", ROOMS_LEAVE, 0));
    set_role(role, &room, &in);

    room.federated = (op == ROOMS_OP_FEDINVITE || op == ROOMS_OP_INVITATION
                      || op == ROOMS_OP_BACKFILL);

    tom = (op == ROOMS_OP_INVITE || room.federated)
          ? target("zoe", ROOMS_LEAVE, 0)
          : (op == ROOMS_OP_UNBAN) ? target("zoe", ROOMS_BAN, 0)
          : target("tom", ROOMS_JOIN, 0);

    in.targets = &tom;
    in.ntargets = 1;

    memset(&c, 0xa5, sizeof(c));
    rooms_decide(&in, &c);

    got = verdict(&c);

    if (got != expected) {
        fail_msg("%s, state %d, %s, role %c: %c, and not %c", kind->kind,
                 state, op_names[op], role, got, expected);
    }

    if (got == '+') {
        check_change(kind, role, &in, &c);
        return;
    }

    assert_nothing(&c);

    if (got == '.') {
        assert_memory_equal(&c.room, &room, sizeof(room));
    } else {
        assert_non_null(c.message);
    }
}


static void
every_cell(void **state)
{
    int            s, op, n;
    unsigned       k, r;
    const char    *cells;
    const kind_t  *kind;

    (void) state;

    n = 0;

    for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        kind = &kinds[k];

        for (s = 0; s < ROOMS_STATE_MAX; s++) {
            for (op = 0; op < ROOMS_OP_MAX; op++) {

                cells = line_of(kind->differs[s], op_names[op]);

                if (cells == NULL) {
                    cells = line_of(kind->table[s], op_names[op]);
                }

                assert_non_null(cells);

                for (r = 0; r < strlen(ROLES); r++) {
                    if (cells[r] != '?') {
                        check_cell(kind, s, op, ROLES[r], cells[r]);
                        n++;
                    }
                }
            }
        }
    }

    assert_true(n > 5000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_cell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
