/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The contract, section 3: creation, DMs, states, metadata. */

#include "rooms_test.h"


static rooms_room_t    room;
static rooms_change_t  c;


static int
setup(void **state)
{
    (void) state;

    room = room_of(ROOMS_GROUP);
    memset(&c, 0xa5, sizeof(c));

    return 0;
}


static rooms_create_t
create_of(const char *type)
{
    rooms_create_t  in;

    memset(&in, 0, sizeof(in));

    in.id = rooms_cstr("room-2");
    in.type = rooms_cstr(type);
    in.name = rooms_cstr(" engineering\n");
    in.topic = rooms_cstr("All things eng");
    in.is_public = -1;
    in.close_on_leave = -1;
    in.creator = rooms_cstr("ann");
    in.now = NOW;

    return in;
}


static void
create(void **state)
{
    rooms_create_t  in;

    (void) state;

    in = create_of("group");
    rooms_decide_create(&in, &c);

    assert_change(&c, ROOMS_EV_CREATE);
    assert_int_equal(c.nmembers, 1);
    assert_moved(&c, "ann", ROOMS_LEAVE, ROOMS_JOIN, 100);
    assert_int_equal(c.members[0].after.joined_at, NOW);
    assert_int_equal(c.write, ROOMS_F_UPDATED);
    assert_int_equal(c.guard, 0);
    assert_int_equal(c.capacity, 0);

    assert_str(c.room.id, "room-2");
    assert_int_equal(c.room.type, ROOMS_GROUP);
    assert_int_equal(c.room.state, ROOMS_OPEN);
    assert_str(c.room.creator, "ann");
    assert_int_equal(c.room.created_at, NOW);
    assert_int_equal(c.room.updated_at, NOW);
    assert_str(c.room.name, "engineering");
    assert_str(c.room.topic, "All things eng");
    assert_null(c.room.alias.data);
    assert_null(c.room.workspace.data);
    assert_null(c.room.last_member.data);
    assert_int_equal(c.room.is_public, 0);
    assert_int_equal(c.room.incognito, 0);
    assert_int_equal(c.room.close_on_leave, 0);
    assert_int_equal(c.room.federated, 0);
    assert_int_equal(c.room.joined, 1);
    assert_int_equal(c.room.admins, 1);
    assert_int_equal(c.room.invited, 0);
}


/*
 * Every type x scope x is_public: the code, or (P)ublic, (I)ncognito, or
 * (-) neither.
 */

static void
create_matrix(void **state)
{
    int             pub;
    char            got;
    unsigned        i;
    rooms_create_t  in;

    static const struct {
        const char  *type;
        const char  *scope;
        const char  *cells;           /* is_public missing, false, true */
    } rows[] = {
        { "group",     NULL,        "--P" },
        { "group",     "incognito", "IIx" },
        { "public",    NULL,        "PxP" },
        { "public",    "incognito", "xxx" },
        { "incognito", NULL,        "IIx" },
        { "incognito", "incognito", "IIx" },
        { "dm",        NULL,        "xxx" },
        { "dm",        "incognito", "xxx" },
        { "sidekick",  NULL,        "xxx" },
        { "sidekick",  "incognito", "xxx" },
        { "bridge",    NULL,        "xxx" },
        { "bridge",    "incognito", "xxx" },
        { "group",     "public",    "vvv" },
        { "incognito", "",          "vvv" },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (pub = -1; pub <= 1; pub++) {
            in = create_of(rows[i].type);
            in.is_public = pub;

            if (rows[i].scope) {
                in.scope = rooms_cstr(rows[i].scope);
            }

            rooms_decide_create(&in, &c);

            if (c.code == ROOMS_E_INVARIANT) {
                assert_refused(&c, ROOMS_E_INVARIANT, NULL);
                got = 'x';

            } else if (c.code == ROOMS_E_VALIDATION) {
                assert_refused(&c, ROOMS_E_VALIDATION, "scope_kind");
                got = 'v';

            } else {
                assert_change(&c, ROOMS_EV_CREATE);
                assert_false(c.room.is_public && c.room.incognito);
                assert_int_equal(c.room.close_on_leave, c.room.incognito);
                assert_int_equal(rooms_type_parse(in.type), c.room.type);
                got = c.room.is_public ? 'P' : c.room.incognito ? 'I' : '-';
            }

            if (got != rows[i].cells[pub + 1]) {
                fail_msg("%s, %s, %d: %c", rows[i].type, rows[i].scope, pub,
                         got);
            }
        }
    }
}


static void
create_body(void **state)
{
    rooms_create_t  in;

    (void) state;

    in = create_of("group");
    in.type = ROOMS_NULL;
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "room_type");
    assert_string_equal(c.message, "is required");

    in = create_of("channel");
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "room_type");

    in = create_of("Group");
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "room_type");

    in = create_of("group");
    in.name = ROOMS_NULL;
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "name");

    in = create_of("public");
    in.name = ROOMS_NULL;
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "name");

    in = create_of("group");
    in.name = ROOMS_NULL;
    in.scope = rooms_cstr("incognito");
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "name");

    /* optional here, but checked */
    in = create_of("incognito");
    in.name = ROOMS_NULL;
    in.topic = ROOMS_NULL;
    rooms_decide_create(&in, &c);
    assert_change(&c, ROOMS_EV_CREATE);
    assert_null(c.room.name.data);
    assert_null(c.room.topic.data);

    in.name = rooms_cstr("  ");
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "name");

    in = create_of("group");
    in.topic = rooms_cstr("\x02");
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "topic");

    /* a name isn't needed to learn that DMs are created differently */
    in = create_of("dm");
    in.name = ROOMS_NULL;
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_INVARIANT, NULL);

    /* an invalid body is reported first */
    in.topic = rooms_cstr("\x02");
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_VALIDATION, "topic");
}


static void
create_close_on_leave(void **state)
{
    rooms_create_t  in;

    (void) state;

    in = create_of("incognito");
    in.close_on_leave = 0;
    rooms_decide_create(&in, &c);
    assert_int_equal(c.room.incognito, 1);
    assert_int_equal(c.room.close_on_leave, 0);

    in.close_on_leave = 1;
    rooms_decide_create(&in, &c);
    assert_int_equal(c.room.close_on_leave, 1);

    in = create_of("group");
    in.close_on_leave = 1;
    rooms_decide_create(&in, &c);
    assert_int_equal(c.room.close_on_leave, 0);
}


static void
create_in_workspace(void **state)
{
    rooms_create_t  in;

    (void) state;

    in = create_of("group");
    in.workspace = rooms_cstr("ws-1");
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_WORKSPACE, "workspace_id");

    in.workspace_known = 1;
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_WORKSPACE, "workspace_id");

    in.workspace_role = ROOMS_ROLE_VIEWER;
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_WORKSPACE_FORBIDDEN, "workspace_id");

    in.workspace_role = ROOMS_ROLE_EDITOR;
    rooms_decide_create(&in, &c);
    assert_change(&c, ROOMS_EV_CREATE);
    assert_str(c.room.workspace, "ws-1");

    in.workspace_role = ROOMS_ROLE_OWNER;
    rooms_decide_create(&in, &c);
    assert_change(&c, ROOMS_EV_CREATE);

    /* the type is checked before the workspace */
    in.is_public = 1;
    in.scope = rooms_cstr("incognito");
    in.workspace_known = 0;
    rooms_decide_create(&in, &c);
    assert_refused(&c, ROOMS_E_INVARIANT, NULL);
}


static void
dm_decide(const char *caller, const char *other, const rooms_room_t *existing)
{
    memset(&c, 0xa5, sizeof(c));

    rooms_decide_dm(rooms_cstr("room-3"), rooms_cstr(caller),
                    rooms_cstr(other), 1, existing, NOW, &c);
}


static void
dm_new(void **state)
{
    unsigned  i;

    static const struct {
        const char  *caller, *other, *first, *second;
    } pairs[] = {
        { "ann", "bob", "ann", "bob" },
        { "bob", "ann", "ann", "bob" },
        { "ann", "anna", "ann", "anna" },
        { "anna", "ann", "ann", "anna" },
        { "a~", "aZ", "aZ", "a~" },
    };

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        dm_decide(pairs[i].caller, pairs[i].other, NULL);

        assert_change(&c, ROOMS_EV_CREATE);
        assert_int_equal(c.nmembers, 2);
        assert_moved(&c, pairs[i].caller, ROOMS_LEAVE, ROOMS_JOIN, 100);
        assert_moved(&c, pairs[i].other, ROOMS_LEAVE, ROOMS_JOIN, 100);
        assert_int_equal(c.members[0].after.joined_at, NOW);
        assert_int_equal(c.members[1].after.joined_at, NOW);
        assert_int_equal(c.write, ROOMS_F_UPDATED);
        assert_int_equal(c.guard, 0);
        assert_str(c.room.id, "room-3");
        assert_int_equal(c.room.type, ROOMS_DM);
        assert_int_equal(c.room.state, ROOMS_OPEN);
        assert_str(c.room.creator, pairs[i].caller);
        assert_str(c.room.peer[0], pairs[i].first);
        assert_str(c.room.peer[1], pairs[i].second);
        assert_null(c.room.name.data);
        assert_null(c.room.alias.data);
        assert_int_equal(c.room.is_public, 0);
        assert_int_equal(c.room.joined, 2);
        assert_int_equal(c.room.admins, 2);
        assert_int_equal(c.room.created_at, NOW);
    }

    /* a closed DM may be followed by another */
    room = room_of(ROOMS_DM);
    room.state = ROOMS_CLOSED;
    dm_decide("ann", "bob", &room);
    assert_change(&c, ROOMS_EV_CREATE);
    assert_str(c.room.id, "room-3");
}


static void
dm_existing(void **state)
{
    (void) state;

    room = room_of(ROOMS_DM);

    dm_decide("ann", "bob", &room);
    assert_noop(&c);
    assert_memory_equal(&c.room, &room, sizeof(room));

    room.state = ROOMS_ARCHIVED;
    dm_decide("bob", "ann", &room);
    assert_change(&c, ROOMS_EV_STATE);
    assert_str(c.room.id, "room-1");
    assert_int_equal(c.room.state, ROOMS_OPEN);
    assert_int_equal(c.room.updated_at, NOW);
    assert_int_equal(c.write, ROOMS_F_STATE|ROOMS_F_UPDATED);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_int_equal(c.nmembers, 0);
}


static void
dm_refused(void **state)
{
    (void) state;

    dm_decide("ann", "ann", NULL);
    assert_refused(&c, ROOMS_E_INVARIANT, "participant_id");

    rooms_decide_dm(rooms_cstr("room-3"), rooms_cstr("ann"),
                    rooms_cstr("zoe"), 0, NULL, NOW, &c);
    assert_refused(&c, ROOMS_E_PARTICIPANT, "participant_id");

    /* the caller is known, but that isn't what fails */
    rooms_decide_dm(rooms_cstr("room-3"), rooms_cstr("ann"),
                    rooms_cstr("ann"), 0, NULL, NOW, &c);
    assert_refused(&c, ROOMS_E_INVARIANT, "participant_id");
}


static rooms_input_t
by(rooms_op_e op, const char *who, int power)
{
    return input_of(op, &room, row(who, ROOMS_JOIN, power));
}


static void
close_and_archive(void **state)
{
    rooms_input_t  in;

    (void) state;

    /* a creator without power */
    in = by(ROOMS_OP_CLOSE, "olga", 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_STATE);
    assert_int_equal(c.room.state, ROOMS_CLOSED);
    assert_int_equal(c.room.updated_at, NOW);
    assert_guarded(&c, "olga");
    assert_int_equal(c.wipe, 0);

    /* a creator who has left */
    in.actor = row("olga", ROOMS_INVITE, 0);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);

    in = by(ROOMS_OP_CLOSE, "ann", 99);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);

    /* a no-op needs the same rights as the change */
    room.state = ROOMS_CLOSED;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);
    in = by(ROOMS_OP_CLOSE, "ann", 100);
    rooms_decide(&in, &c);
    assert_noop(&c);

    in = by(ROOMS_OP_ARCHIVE, "ann", 100);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FROZEN, NULL);
    assert_string_equal(c.message, "The room is closed.");

    room.state = ROOMS_OPEN;
    in = by(ROOMS_OP_ARCHIVE, "ann", 50);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_STATE);
    assert_int_equal(c.room.state, ROOMS_ARCHIVED);
    assert_guarded(&c, "ann");
    assert_int_equal(c.nmembers, 1);

    room.state = ROOMS_ARCHIVED;
    in = by(ROOMS_OP_SEND, "ann", 50);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FROZEN, NULL);
    assert_string_equal(c.message, "The room is archived.");
}


static void
rejoin_by_member(void **state)
{
    rooms_input_t  in;

    (void) state;

    room.state = ROOMS_ARCHIVED;

    in = by(ROOMS_OP_REJOIN, "ann", 50);
    in.max_participants = 0;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_STATE);
    assert_int_equal(c.room.state, ROOMS_OPEN);
    assert_int_equal(c.write, ROOMS_F_STATE|ROOMS_F_UPDATED);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_guarded(&c, "ann");
    assert_int_equal(c.nmembers, 1);
    assert_int_equal(c.capacity, 0);

    /* a tenant administrator who isn't a member, in a room that isn't empty */
    in = input_of(ROOMS_OP_REJOIN, &room, row("ann", ROOMS_INVITE, 0));
    in.tenant_admin = 1;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);
}


static void
rejoin_of_emptied(void **state)
{
    int            admin;
    rooms_input_t  in;

    (void) state;

    room.state = ROOMS_ARCHIVED;
    room.joined = 0;
    room.admins = 0;
    room.invited = 2;
    room.last_member = rooms_cstr("lena");

    for (admin = 0; admin < 2; admin++) {
        in = input_of(ROOMS_OP_REJOIN, &room,
                      row(admin ? "ann" : "lena", ROOMS_LEAVE, 0));
        in.tenant_admin = admin;
        in.ntop = 0;
        in.max_participants = 3;
        rooms_decide(&in, &c);

        assert_change(&c, ROOMS_EV_STATE);
        assert_moved(&c, admin ? "ann" : "lena", ROOMS_LEAVE, ROOMS_JOIN,
                     100);
        assert_int_equal(c.members[0].after.joined_at, NOW);
        assert_int_equal(c.nmembers, 1);
        assert_int_equal(c.room.state, ROOMS_OPEN);
        assert_null(c.room.last_member.data);
        assert_int_equal(c.write,
                         ROOMS_F_STATE|ROOMS_F_LAST_MEMBER|ROOMS_F_UPDATED);
        assert_int_equal(c.guard,
                         ROOMS_F_STATE|ROOMS_F_LAST_MEMBER|ROOMS_F_JOINED);
        assert_int_equal(c.capacity, 1);
        assert_int_equal(c.seats, 1);
        assert_int_equal(c.room.joined, 1);
        assert_int_equal(c.room.admins, 1);

        in.max_participants = 2;
        rooms_decide(&in, &c);
        assert_refused(&c, ROOMS_E_CAPACITY, NULL);
    }

    /* an invited tenant administrator already has a seat */
    in.actor = row("ann", ROOMS_INVITE, 0);
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_STATE);
    assert_moved(&c, "ann", ROOMS_INVITE, ROOMS_JOIN, 100);
    assert_int_equal(c.capacity, 0);
    assert_int_equal(c.room.invited, 1);

    /* an invited participant waits for a former member */
    in.tenant_admin = 0;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);

    /* another participant */
    in = input_of(ROOMS_OP_REJOIN, &room, row("ann", ROOMS_LEAVE, 0));
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_NOT_FOUND, NULL);
}


static void
metadata(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = by(ROOMS_OP_NAME, "ann", 50);
    in.text = rooms_cstr("\t new name ");
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_NAME);
    assert_str(c.room.name, "new name");
    assert_str(c.room.topic, "old topic");
    assert_int_equal(c.write, ROOMS_F_NAME|ROOMS_F_UPDATED);
    assert_int_equal(c.guard, ROOMS_F_STATE);
    assert_guarded(&c, "ann");

    in.text = rooms_cstr(" old ");
    rooms_decide(&in, &c);
    assert_noop(&c);

    in = by(ROOMS_OP_TOPIC, "ann", 50);
    in.text = ROOMS_NULL;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_TOPIC);
    assert_null(c.room.topic.data);
    assert_str(c.room.name, "old");
    assert_int_equal(c.guard, ROOMS_F_STATE);

    room.topic = ROOMS_NULL;
    rooms_decide(&in, &c);
    assert_noop(&c);
}


static void
move_workspace(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = by(ROOMS_OP_WORKSPACE, "ann", 50);
    in.text = rooms_cstr("ws-new");
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_WORKSPACE);
    assert_str(c.room.workspace, "ws-new");
    assert_int_equal(c.write, ROOMS_F_WORKSPACE|ROOMS_F_UPDATED);
    assert_int_equal(c.guard, ROOMS_F_STATE);

    in.workspace_role = ROOMS_ROLE_VIEWER;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_WORKSPACE_FORBIDDEN, "workspace_id");

    in.workspace_role = ROOMS_ROLE_NONE;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_WORKSPACE, "workspace_id");

    in.workspace_role = ROOMS_ROLE_VIEWER;
    in.workspace_known = 0;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_WORKSPACE, "workspace_id");

    /* power is checked first */
    in.actor.power = 49;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);

    in = by(ROOMS_OP_WORKSPACE, "ann", 50);
    in.text = rooms_cstr("ws-old");
    rooms_decide(&in, &c);
    assert_noop(&c);
}


static void
federate(void **state)
{
    rooms_input_t  in;

    (void) state;

    in = input_of(ROOMS_OP_FEDERATE, &room, row("ann", ROOMS_LEAVE, 0));
    in.tenant_admin = 1;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_FEDERATION);
    assert_int_equal(c.room.federated, 1);
    assert_int_equal(c.nmembers, 0);
    assert_int_equal(c.guard, ROOMS_F_STATE|ROOMS_F_FEDERATED);

    in.enabled = 0;
    rooms_decide(&in, &c);
    assert_noop(&c);

    in.op = ROOMS_OP_BACKFILL;
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_INVARIANT, NULL);

    room.federated = 1;
    rooms_decide(&in, &c);
    assert_noop(&c);

    in.op = ROOMS_OP_FEDERATE;
    rooms_decide(&in, &c);
    assert_change(&c, ROOMS_EV_FEDERATION);
    assert_int_equal(c.room.federated, 0);

    /* the room's highest power doesn't make a tenant administrator */
    in = by(ROOMS_OP_FEDERATE, "olga", 100);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_FORBIDDEN, NULL);

    in = by(ROOMS_OP_EXPORT, "olga", 100);
    rooms_decide(&in, &c);
    assert_refused(&c, ROOMS_E_EXPORT_REFUSED, NULL);
}


#define test(f)  cmocka_unit_test_setup(f, setup)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(create),
        test(create_matrix),
        test(create_body),
        test(create_close_on_leave),
        test(create_in_workspace),
        test(dm_new),
        test(dm_existing),
        test(dm_refused),
        test(close_and_archive),
        test(rejoin_by_member),
        test(rejoin_of_emptied),
        test(metadata),
        test(move_workspace),
        test(federate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
