/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef ROOMS_TEST_H
#define ROOMS_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rooms.h"


#define NOW  1700000000000LL
#define OLD  1600000000000LL


static inline rooms_member_t
row(const char *who, rooms_membership_e membership, int power)
{
    rooms_member_t  m;

    memset(&m, 0, sizeof(m));

    m.participant = rooms_cstr(who);
    m.membership = membership;

    if (membership == ROOMS_JOIN) {
        m.power = power;
        m.joined_at = OLD;
        m.position = 7;
    }

    return m;
}


static inline rooms_target_t
target(const char *who, rooms_membership_e membership, int power)
{
    rooms_target_t  t;

    memset(&t, 0, sizeof(t));

    t.member = row(who, membership, power);
    t.known = 1;

    return t;
}


/* An open room with olga (100) and tom (0). */

static inline rooms_room_t
room_of(rooms_type_e type)
{
    rooms_room_t  r;

    memset(&r, 0, sizeof(r));

    r.id = rooms_cstr("room-1");
    r.type = type;
    r.state = ROOMS_OPEN;
    r.creator = rooms_cstr("olga");
    r.created_at = OLD;
    r.updated_at = OLD;
    r.name = rooms_cstr("old");
    r.topic = rooms_cstr("old topic");
    r.workspace = rooms_cstr("ws-old");
    r.joined = 2;
    r.admins = 1;
    r.is_public = (type == ROOMS_PUBLIC);
    r.incognito = (type == ROOMS_INCOGNITO);
    r.close_on_leave = r.incognito;

    return r;
}


static inline rooms_input_t
input_of(rooms_op_e op, const rooms_room_t *room, rooms_member_t actor)
{
    rooms_input_t  in;

    memset(&in, 0, sizeof(in));

    in.op = op;
    in.room = room;
    in.actor = actor;
    in.top[0] = row("olga", ROOMS_JOIN, 100);
    in.top[1] = row("tom", ROOMS_JOIN, 0);
    in.ntop = 2;
    in.max_participants = 100;
    in.workspace_known = 1;
    in.workspace_role = ROOMS_ROLE_EDITOR;
    in.text = rooms_cstr("new");
    in.power = 10;
    in.enabled = 1;
    in.now = NOW;

    return in;
}


/* The transition of a participant, or NULL. */

static inline const rooms_transition_t *
transition(const rooms_change_t *c, const char *who)
{
    unsigned                   i;
    const rooms_transition_t  *found;

    found = NULL;

    for (i = 0; i < c->nmembers; i++) {
        if (rooms_str_eq(c->members[i].before.participant, rooms_cstr(who))) {
            assert_null(found);
            found = &c->members[i];
        }
    }

    return found;
}


#define assert_str(s, expected)                                               \
    assert_true(rooms_str_eq(s, rooms_cstr(expected)))

#define assert_moved(c, who, from, to, level)                                 \
    do {                                                                      \
        const rooms_transition_t  *t_ = transition(c, who);                   \
        assert_non_null(t_);                                                  \
        assert_int_equal(t_->before.membership, from);                        \
        assert_int_equal(t_->after.membership, to);                           \
        assert_int_equal(t_->after.power, level);                             \
        assert_true(rooms_str_eq(t_->after.participant,                       \
                                 t_->before.participant));                    \
    } while (0)

#define assert_guarded(c, who)                                                \
    do {                                                                      \
        const rooms_transition_t  *t_ = transition(c, who);                   \
        assert_non_null(t_);                                                  \
        assert_memory_equal(&t_->before, &t_->after,                          \
                            sizeof(rooms_member_t));                          \
    } while (0)

/* A refusal and a no-op write nothing, and a refusal has a message. */

static inline void
assert_nothing(const rooms_change_t *c)
{
    assert_int_equal(c->nmembers, 0);
    assert_int_equal(c->write, 0);
    assert_int_equal(c->guard, 0);
    assert_int_equal(c->event, ROOMS_EV_NONE);
    assert_int_equal(c->wipe, 0);
}

#define assert_refused(c, why, where)                                         \
    do {                                                                      \
        assert_int_equal((c)->code, why);                                     \
        assert_non_null((c)->message);                                        \
        if (where) {                                                          \
            assert_non_null((c)->field);                                      \
            assert_string_equal((c)->field, (const char *) where);            \
        } else {                                                              \
            assert_null((c)->field);                                          \
        }                                                                     \
        assert_nothing(c);                                                    \
    } while (0)

#define assert_noop(c)                                                        \
    do {                                                                      \
        assert_int_equal((c)->code, ROOMS_OK);                                \
        assert_int_equal((c)->noop, 1);                                       \
        assert_nothing(c);                                                    \
    } while (0)

#define assert_change(c, what)                                                \
    do {                                                                      \
        assert_int_equal((c)->code, ROOMS_OK);                                \
        assert_null((c)->message);                                            \
        assert_int_equal((c)->noop, 0);                                       \
        assert_int_equal((c)->event, what);                                   \
    } while (0)

#endif /* ROOMS_TEST_H */
