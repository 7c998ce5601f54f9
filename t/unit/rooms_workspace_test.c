/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Who may do what with a workspace, and what it can't be without. */

#include "rooms_test.h"


#define NONE    ROOMS_ROLE_NONE
#define VIEWER  ROOMS_ROLE_VIEWER
#define EDITOR  ROOMS_ROLE_EDITOR
#define OWNER   ROOMS_ROLE_OWNER


static rooms_workspace_t
of(rooms_workspace_op_e op, rooms_role_e actor)
{
    rooms_workspace_t  in;

    memset(&in, 0, sizeof(in));

    in.op = op;
    in.actor = actor;
    in.owners = 2;
    in.known = 1;
    in.had = VIEWER;
    in.role = (op == ROOMS_WORKSPACE_REMOVE) ? NONE : EDITOR;

    return in;
}


static void
who(void **state)
{
    int                op, role;
    rooms_code_e       code, expected;
    rooms_workspace_t  in;

    (void) state;

    for (op = ROOMS_WORKSPACE_READ; op <= ROOMS_WORKSPACE_REMOVE; op++) {
        for (role = NONE; role <= OWNER; role++) {
            in = of(op, role);
            code = rooms_decide_workspace(&in);

            expected = role == NONE ? ROOMS_E_WORKSPACE
                       : op == ROOMS_WORKSPACE_READ || role == OWNER
                         ? ROOMS_OK : ROOMS_E_WORKSPACE_FORBIDDEN;

            if (code != expected) {
                fail_msg("operation %d, role %d: %d", op, role, code);
            }
        }
    }

    /* every member may leave, and nothing more */

    in = of(ROOMS_WORKSPACE_REMOVE, VIEWER);
    in.self = 1;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_OK);

    in = of(ROOMS_WORKSPACE_ROLE, VIEWER);
    in.self = 1;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_E_WORKSPACE_FORBIDDEN);
}


static void
deleting(void **state)
{
    rooms_workspace_t  in;

    (void) state;

    in = of(ROOMS_WORKSPACE_DELETE, OWNER);
    in.used = 1;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_E_WORKSPACE_IN_USE);

    in.personal = 1;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_E_WORKSPACE_PERSONAL);

    in.actor = EDITOR;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_E_WORKSPACE_FORBIDDEN);

    in = of(ROOMS_WORKSPACE_CHANGE, OWNER);
    in.personal = 1;
    in.used = 1;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_OK);
}


static void
members(void **state)
{
    int                op;
    rooms_workspace_t  in;

    (void) state;

    for (op = ROOMS_WORKSPACE_ADD; op <= ROOMS_WORKSPACE_REMOVE; op++) {
        in = of(op, OWNER);
        in.known = 0;
        assert_int_equal(rooms_decide_workspace(&in), ROOMS_E_PARTICIPANT);

        in.known = 1;
        in.had = NONE;
        assert_int_equal(rooms_decide_workspace(&in),
                         op == ROOMS_WORKSPACE_ADD ? ROOMS_OK
                                                   : ROOMS_E_PARTICIPANT);

        /* one of several owners, and the last one */
        in.had = OWNER;
        assert_int_equal(rooms_decide_workspace(&in), ROOMS_OK);

        in.self = 1;
        in.owners = 1;
        assert_int_equal(rooms_decide_workspace(&in),
                         ROOMS_E_WORKSPACE_NEEDS_OWNER);

        in.owners = 0;
        assert_int_equal(rooms_decide_workspace(&in),
                         ROOMS_E_WORKSPACE_NEEDS_OWNER);

        in.role = OWNER;
        assert_int_equal(rooms_decide_workspace(&in), ROOMS_OK);
    }

    /* the person of a personal workspace stays its owner */

    in = of(ROOMS_WORKSPACE_REMOVE, OWNER);
    in.had = OWNER;
    in.person = 1;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_OK);

    in.personal = 1;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_E_WORKSPACE_PERSONAL);

    in.person = 0;
    assert_int_equal(rooms_decide_workspace(&in), ROOMS_OK);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(who),
        cmocka_unit_test(deleting),
        cmocka_unit_test(members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
