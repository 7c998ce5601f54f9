/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Random walks over a room in memory.  It commits as the store does: it
 * checks the guards, then applies the writes.  In a walk of pairs, two
 * decisions use the same snapshot.  The second may commit only if nothing it
 * relied on has changed, so only if it would be decided in the same way
 * again.
 */

#include "rooms_test.h"


#define PEOPLE   9                    /* the last is unknown to the tenant */
#define MAX      6


typedef struct {
    rooms_room_t    room;
    rooms_member_t  rows[PEOPLE];
    int64_t         position;
} sim_t;

/* An operation, before its input is loaded. */
typedef struct {
    rooms_op_e      op;
    int             actor;
    int             admin;
    int             targets[4];
    unsigned        ntargets;
    int             power;
    int             enabled;
    int             text;
} ask_t;

typedef struct {
    rooms_input_t   in;
    rooms_room_t    room;
    rooms_target_t  targets[4];
    rooms_change_t  c;
} decision_t;


static const char *const  people[PEOPLE] = {
    "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"
};

static const char *const  texts[] = { "ws-1", "ws-2", "ws-3" };

static uint64_t    seed;
static uint64_t    events;
static uint64_t    commits, conflicts;
static decision_t  one, two, again;


static unsigned
rnd(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (seed >> 11) % n;
}


static int
who(rooms_str_t s)
{
    int  i;

    for (i = 0; i < PEOPLE; i++) {
        if (rooms_str_eq(s, rooms_cstr(people[i]))) {
            return i;
        }
    }

    fail_msg("nobody");
    return -1;
}


/*
 * The first two in the order of succession: power, then the position of the
 * join.
 */

static unsigned
first_two(const sim_t *s, rooms_member_t *top)
{
    int       i, best, first;
    unsigned  n;

    first = -1;

    for (n = 0; n < 2; n++) {
        best = -1;

        for (i = 0; i < PEOPLE; i++) {
            if (i == first || s->rows[i].membership != ROOMS_JOIN) {
                continue;
            }

            if (best == -1
                || s->rows[i].power > s->rows[best].power
                || (s->rows[i].power == s->rows[best].power
                    && s->rows[i].position < s->rows[best].position))
            {
                best = i;
            }
        }

        if (best == -1) {
            break;
        }

        first = best;
        top[n] = s->rows[best];
    }

    return n;
}


static void
decide(const sim_t *s, const ask_t *a, decision_t *d)
{
    unsigned  i;

    memset(d, 0, sizeof(decision_t));

    d->room = s->room;
    d->in.op = a->op;
    d->in.room = &d->room;
    d->in.actor = s->rows[a->actor];
    d->in.tenant_admin = a->admin;
    d->in.targets = d->targets;
    d->in.ntargets = a->ntargets;
    d->in.ntop = first_two(s, d->in.top);
    d->in.max_participants = MAX;
    d->in.workspace_known = 1;
    d->in.workspace_role = ROOMS_ROLE_OWNER;
    d->in.power = a->power;
    d->in.enabled = a->enabled;
    d->in.text = rooms_cstr(texts[a->text]);
    d->in.now = NOW;

    for (i = 0; i < a->ntargets; i++) {
        d->targets[i].member = s->rows[a->targets[i]];
        d->targets[i].known = (a->targets[i] != PEOPLE - 1);
    }

    rooms_decide(&d->in, &d->c);
}


static int
guards_hold(const sim_t *s, const decision_t *d)
{
    unsigned                   i, n;
    rooms_member_t             top[2];
    const rooms_room_t        *r;
    const rooms_change_t      *c;
    const rooms_transition_t  *t;

    c = &d->c;
    r = &d->room;

    if (((c->guard & ROOMS_F_STATE) && r->state != s->room.state)
        || ((c->guard & ROOMS_F_FEDERATED)
            && r->federated != s->room.federated)
        || ((c->guard & ROOMS_F_JOINED) && r->joined != s->room.joined)
        || ((c->guard & ROOMS_F_ADMINS) && r->admins != s->room.admins)
        || ((c->guard & ROOMS_F_OTHERS) && s->room.admins < 2)
        || ((c->guard & ROOMS_F_NAME)
            && !rooms_str_eq(r->name, s->room.name))
        || ((c->guard & ROOMS_F_TOPIC)
            && !rooms_str_eq(r->topic, s->room.topic))
        || ((c->guard & ROOMS_F_WORKSPACE)
            && !rooms_str_eq(r->workspace, s->room.workspace))
        || ((c->guard & ROOMS_F_LAST_MEMBER)
            && !rooms_str_eq(r->last_member, s->room.last_member)))
    {
        return 0;
    }

    if (c->capacity && s->room.joined + s->room.invited + c->seats > MAX) {
        return 0;
    }

    if (c->guard & ROOMS_F_TOP) {
        n = first_two(s, top);

        if (n != d->in.ntop) {
            return 0;
        }

        for (i = 0; i < n; i++) {
            if (!rooms_str_eq(top[i].participant, d->in.top[i].participant)
                || top[i].power != d->in.top[i].power)
            {
                return 0;
            }
        }
    }

    for (i = 0; i < c->nmembers; i++) {
        t = &c->members[i];
        n = who(t->before.participant);

        if (t->before.membership != s->rows[n].membership
            || t->before.power != s->rows[n].power)
        {
            return 0;
        }
    }

    return 1;
}


static void
apply(sim_t *s, const rooms_change_t *c, rooms_op_e op)
{
    unsigned                   i, n;
    const rooms_transition_t  *t;

    if (c->event != ROOMS_EV_NONE) {
        s->position++;
        events++;
    }

    if (c->write & ROOMS_F_STATE) {
        s->room.state = c->room.state;
    }

    if (c->write & ROOMS_F_NAME) {
        s->room.name = c->room.name;
    }

    if (c->write & ROOMS_F_TOPIC) {
        s->room.topic = c->room.topic;
    }

    if (c->write & ROOMS_F_WORKSPACE) {
        s->room.workspace = c->room.workspace;
    }

    if (c->write & ROOMS_F_FEDERATED) {
        s->room.federated = c->room.federated;
    }

    if (c->write & ROOMS_F_LAST_MEMBER) {
        s->room.last_member = c->room.last_member;
    }

    for (i = 0; i < c->nmembers; i++) {
        t = &c->members[i];
        n = who(t->before.participant);

        /* only unban lifts a ban */

        if (t->before.membership == ROOMS_BAN
            && t->after.membership != ROOMS_BAN)
        {
            assert_int_equal(op, ROOMS_OP_UNBAN);
            assert_int_equal(t->after.membership, ROOMS_LEAVE);
        }

        s->rows[n] = t->after;

        if (t->after.membership == ROOMS_JOIN && t->after.position == 0) {
            s->rows[n].position = s->position;
        }

        s->room.joined += (t->after.membership == ROOMS_JOIN)
                          - (t->before.membership == ROOMS_JOIN);
        s->room.invited += (t->after.membership == ROOMS_INVITE)
                           - (t->before.membership == ROOMS_INVITE);
        s->room.admins += (t->after.power == 100)
                          - (t->before.power == 100);
    }
}


static void
invariants(const sim_t *s)
{
    int       i;
    uint32_t  joined, invited, admins;

    joined = invited = admins = 0;

    for (i = 0; i < PEOPLE; i++) {
        joined += (s->rows[i].membership == ROOMS_JOIN);
        invited += (s->rows[i].membership == ROOMS_INVITE);
        admins += (s->rows[i].power == 100);

        assert_in_range(s->rows[i].power, 0, 100);

        if (s->rows[i].membership != ROOMS_JOIN) {
            assert_int_equal(s->rows[i].power, 0);
            assert_int_equal(s->rows[i].joined_at, 0);
            assert_int_equal(s->rows[i].position, 0);
        } else {
            assert_int_not_equal(s->rows[i].joined_at, 0);
            assert_int_not_equal(s->rows[i].position, 0);
        }
    }

    assert_int_equal(joined, s->room.joined);
    assert_int_equal(invited, s->room.invited);
    assert_int_equal(admins, s->room.admins);
    assert_true(joined + invited <= MAX);

    /* in a DM, the foreign participant may be gone */

    if (s->room.type == ROOMS_DM) {
        assert_in_range(joined, 1, 2);
        assert_int_equal(admins, joined);
        assert_int_equal(invited, 0);
        return;
    }

    if (s->room.state == ROOMS_OPEN) {
        assert_true(joined > 0);
        assert_true(admins > 0 || s->room.type == ROOMS_SIDEKICK);
        assert_null(s->room.last_member.data);
    }

    if (s->room.state == ROOMS_ARCHIVED && joined == 0) {
        assert_non_null(s->room.last_member.data);
    }
}


/* Checks that hold for every decision. */

static void
check_decision(const decision_t *d)
{
    unsigned               i, moved;
    rooms_room_t           counted;
    const rooms_change_t  *c;

    c = &d->c;

    if (c->code != ROOMS_OK || c->noop) {
        assert_nothing(c);
        return;
    }

    assert_int_equal(c->event == ROOMS_EV_NONE,
                     d->in.op == ROOMS_OP_SETTINGS);

    counted = d->room;
    moved = 0;

    for (i = 0; i < c->nmembers; i++) {
        counted.joined += (c->members[i].after.membership == ROOMS_JOIN)
                          - (c->members[i].before.membership == ROOMS_JOIN);
        moved += (c->members[i].before.membership == ROOMS_LEAVE
                  && (c->members[i].after.membership == ROOMS_JOIN
                      || c->members[i].after.membership == ROOMS_INVITE));
    }

    assert_int_equal(counted.joined, c->room.joined);
    assert_int_equal(moved, c->seats);
    assert_int_equal(moved != 0, c->capacity);
}


/*
 * The second decision of a pair, repeated after the first, must be the same.
 */

static void
check_same(const rooms_change_t *a, const rooms_change_t *b)
{
    unsigned                   i;
    const rooms_transition_t  *t, *u;

    assert_int_equal(a->code, b->code);
    assert_int_equal(a->noop, b->noop);
    assert_int_equal(a->event, b->event);
    assert_int_equal(a->wipe, b->wipe);
    assert_int_equal(a->write, b->write);
    assert_int_equal(a->seats, b->seats);
    assert_int_equal(a->nmembers, b->nmembers);

    if (a->write & ROOMS_F_STATE) {
        assert_int_equal(a->room.state, b->room.state);
    }

    assert_true(rooms_str_eq(a->successor.participant,
                             b->successor.participant));
    assert_memory_equal(a->results, b->results, sizeof(a->results));

    for (i = 0; i < a->nmembers; i++) {
        t = &a->members[i];
        u = &b->members[i];

        assert_true(rooms_str_eq(t->after.participant,
                                 u->after.participant));
        assert_int_equal(t->before.membership, u->before.membership);
        assert_int_equal(t->before.power, u->before.power);
        assert_int_equal(t->after.membership, u->after.membership);
        assert_int_equal(t->after.power, u->after.power);
    }
}


static void
commit(sim_t *s, decision_t *d)
{
    uint64_t  before;

    before = events;

    apply(s, &d->c, d->in.op);
    invariants(s);

    assert_int_equal(events - before, d->in.op != ROOMS_OP_SETTINGS);
    commits++;
}


/* A new room of any kind, with some members. */

static void
fresh(sim_t *s)
{
    int           i, n, power;
    rooms_room_t  r;

    static const rooms_type_e  types[] = {
        ROOMS_GROUP, ROOMS_GROUP, ROOMS_PUBLIC, ROOMS_PUBLIC,
        ROOMS_INCOGNITO, ROOMS_DM, ROOMS_SIDEKICK, ROOMS_BRIDGE
    };

    memset(s, 0, sizeof(sim_t));

    r = room_of(types[rnd(8)]);
    r.creator = rooms_cstr("p0");
    r.is_public = (r.type == ROOMS_PUBLIC
                   || (r.type == ROOMS_GROUP && rnd(3) == 0));
    r.incognito = (r.type == ROOMS_INCOGNITO
                   || (r.type == ROOMS_GROUP && !r.is_public && rnd(4) == 0));
    r.close_on_leave = r.incognito && rnd(4) != 0;
    r.joined = 0;
    r.admins = 0;

    n = (r.type == ROOMS_DM) ? 2 : 1 + rnd(4);

    for (i = 0; i < PEOPLE; i++) {
        if (i >= n) {
            s->rows[i] = row(people[i], ROOMS_LEAVE, 0);
            continue;
        }

        power = (r.type == ROOMS_DM) ? 100
                : (r.type == ROOMS_SIDEKICK) ? 0
                : (i == 0) ? 100 : (int) (rnd(3) * 50);

        s->rows[i] = row(people[i], ROOMS_JOIN, power);
        s->rows[i].position = ++s->position;
        r.joined++;
        r.admins += (power == 100);
    }

    s->room = r;
}


static ask_t
any_ask(void)
{
    unsigned  i;
    ask_t     a;

    static const int  powers[] = { 0, 10, 49, 50, 51, 99, 100, 100, 101 };

    /*
     * operations that add members are more frequent, or the rooms stay small
     */

    static const rooms_op_e  more[] = {
        ROOMS_OP_JOIN, ROOMS_OP_INVITE, ROOMS_OP_POWER, ROOMS_OP_LEAVE,
        ROOMS_OP_KICK, ROOMS_OP_BAN, ROOMS_OP_UNBAN, ROOMS_OP_REJOIN
    };

    memset(&a, 0, sizeof(a));

    a.op = rnd(3) ? more[rnd(8)] : rnd(ROOMS_OP_MAX);

    if (a.op == ROOMS_OP_CLOSE && rnd(4)) {
        a.op = ROOMS_OP_JOIN;
    }

    a.actor = rnd(PEOPLE - 1);
    a.admin = (rnd(8) == 0);
    a.ntargets = (a.op == ROOMS_OP_INVITE && rnd(3) == 0) ? 2 + rnd(3) : 1;
    a.power = powers[rnd(9)];
    a.enabled = rnd(2);
    a.text = rnd(3);

    for (i = 0; i < a.ntargets; i++) {
        a.targets[i] = rnd(PEOPLE);
    }

    /* participants with odd numbers are foreign */

    if (a.op == ROOMS_OP_EXPEL) {
        a.admin = (rnd(4) != 0);
        a.targets[0] = 2 * rnd(PEOPLE / 2) + 1;
    }

    if (a.op == ROOMS_OP_RETIRE || a.op == ROOMS_OP_ERASE) {
        a.admin = (rnd(4) != 0);
    }

    return a;
}


static void
walk_of_singles(void **state)
{
    int    i;
    ask_t  a;
    sim_t  s;

    (void) state;

    seed = 0x9e3779b97f4a7c15ULL;
    commits = 0;
    fresh(&s);

    for (i = 0; i < 500000; i++) {

        if (rnd(60) == 0 || (s.room.state == ROOMS_CLOSED && rnd(10) == 0)) {
            fresh(&s);
            invariants(&s);
        }

        a = any_ask();
        decide(&s, &a, &one);
        check_decision(&one);

        if (one.c.code == ROOMS_OK && !one.c.noop) {
            assert_true(guards_hold(&s, &one));
            commit(&s, &one);
        }
    }

    assert_true(commits > 40000);
}


static void
walk_of_pairs(void **state)
{
    int    i;
    ask_t  a, b;
    sim_t  s;

    (void) state;

    seed = 0xd1b54a32d192ed03ULL;
    commits = 0;
    conflicts = 0;
    fresh(&s);

    for (i = 0; i < 2000000; i++) {

        if (rnd(40) == 0 || (s.room.state == ROOMS_CLOSED && rnd(4) == 0)) {
            fresh(&s);
        }

        a = any_ask();
        b = any_ask();

        /* make them meet more often than by chance */

        if (rnd(3) == 0) {
            b.actor = (a.targets[0] < PEOPLE - 1) ? a.targets[0] : a.actor;
        }

        if (b.ntargets > 0 && b.op != ROOMS_OP_EXPEL && rnd(3) == 0) {
            b.targets[0] = rnd(2) ? a.targets[0] : a.actor;
        }

        decide(&s, &a, &one);
        decide(&s, &b, &two);

        if (one.c.code != ROOMS_OK || one.c.noop) {
            continue;
        }

        commit(&s, &one);

        if (two.c.code != ROOMS_OK || two.c.noop) {
            continue;
        }

        if (!guards_hold(&s, &two)) {
            conflicts++;
            continue;
        }

        decide(&s, &b, &again);

        /* setting the same name again is a no-op */

        if (again.c.noop && (b.op == ROOMS_OP_NAME || b.op == ROOMS_OP_TOPIC
                             || b.op == ROOMS_OP_WORKSPACE))
        {
            continue;
        }

        if (again.c.code != ROOMS_OK || again.c.noop) {
            fail_msg("type %d, %d by %s held after %d by %s, but: %s",
                     s.room.type, b.op, people[b.actor], a.op,
                     people[a.actor], again.c.message);
        }

        check_same(&two.c, &again.c);

        commit(&s, &two);
    }

    assert_true(commits > 100000);
    assert_true(conflicts > 5000);
}


/* Unrelated operations must not conflict. */

static void
no_needless_conflict(void **state)
{
    unsigned  i;
    sim_t     s;

    static const struct {
        ask_t  first, second;
        int    conflict;
    } pairs[] = {
        /* op, actor, admin, targets, n, power, enabled, text */
        { { ROOMS_OP_SEND, 1, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_SEND, 1, 0, { 0 }, 0, 0, 0, 0 }, 0 },
        { { ROOMS_OP_JOIN, 5, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_JOIN, 6, 0, { 0 }, 0, 0, 0, 0 }, 0 },
        { { ROOMS_OP_JOIN, 5, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_JOIN, 5, 0, { 0 }, 0, 0, 0, 0 }, 1 },
        { { ROOMS_OP_JOIN, 5, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_LEAVE, 2, 0, { 0 }, 0, 0, 0, 0 }, 0 },
        { { ROOMS_OP_LEAVE, 3, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_LEAVE, 2, 0, { 0 }, 0, 0, 0, 0 }, 0 },
        { { ROOMS_OP_INVITE, 3, 0, { 5 }, 1, 0, 0, 0 },
          { ROOMS_OP_INVITE, 3, 0, { 6 }, 1, 0, 0, 0 }, 0 },
        { { ROOMS_OP_INVITE, 3, 0, { 5 }, 1, 0, 0, 0 },
          { ROOMS_OP_INVITE, 2, 0, { 5 }, 1, 0, 0, 0 }, 1 },
        { { ROOMS_OP_KICK, 0, 0, { 2 }, 1, 0, 0, 0 },
          { ROOMS_OP_KICK, 0, 0, { 3 }, 1, 0, 0, 0 }, 0 },
        { { ROOMS_OP_NAME, 0, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_NAME, 1, 0, { 0 }, 0, 0, 0, 1 }, 0 },
        { { ROOMS_OP_NAME, 0, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_TOPIC, 1, 0, { 0 }, 0, 0, 0, 1 }, 0 },
        { { ROOMS_OP_TOPIC, 0, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_TOPIC, 1, 0, { 0 }, 0, 0, 0, 1 }, 0 },
        { { ROOMS_OP_WORKSPACE, 0, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_WORKSPACE, 1, 0, { 0 }, 0, 0, 0, 1 }, 0 },
        { { ROOMS_OP_FEDERATE, 7, 1, { 0 }, 0, 0, 1, 0 },
          { ROOMS_OP_FEDERATE, 6, 1, { 0 }, 0, 0, 1, 0 }, 1 },
        { { ROOMS_OP_ARCHIVE, 0, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_SETTINGS, 2, 0, { 0 }, 0, 0, 0, 0 }, 0 },
        { { ROOMS_OP_ARCHIVE, 0, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_SEND, 2, 0, { 0 }, 0, 0, 0, 0 }, 1 },
        { { ROOMS_OP_LEAVE, 0, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_LEAVE, 1, 0, { 0 }, 0, 0, 0, 0 }, 1 },
        { { ROOMS_OP_LEAVE, 0, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_SEND, 2, 0, { 0 }, 0, 0, 0, 0 }, 0 },
        { { ROOMS_OP_LEAVE, 2, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_SEND, 2, 0, { 0 }, 0, 0, 0, 0 }, 1 },
        { { ROOMS_OP_LEAVE, 2, 0, { 0 }, 0, 0, 0, 0 },
          { ROOMS_OP_SETTINGS, 2, 0, { 0 }, 0, 0, 0, 0 }, 1 },
    };

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        do {
            fresh(&s);
        } while (s.room.type != ROOMS_PUBLIC || s.room.joined != 4
                 || s.rows[1].power != 100 || s.rows[2].power != 0
                 || s.rows[3].power != 0);

        decide(&s, &pairs[i].first, &one);
        decide(&s, &pairs[i].second, &two);

        assert_int_equal(one.c.code, ROOMS_OK);
        assert_int_equal(one.c.noop, 0);
        assert_int_equal(two.c.code, ROOMS_OK);
        assert_int_equal(two.c.noop, 0);

        commit(&s, &one);

        if (guards_hold(&s, &two) == pairs[i].conflict) {
            fail_msg("pair %u", i);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(walk_of_singles),
        cmocka_unit_test(walk_of_pairs),
        cmocka_unit_test(no_needless_conflict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
