# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The order of checks: token, path and method, admin role, body, room seen,
# joined, type invariant, frozen, power, target, capacity.  Each request here
# breaks two rules, and is told of the first.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan eve low));

my $group = make(group => 'ann');
my $public = make(public => 'ann', name => 'Public');
my $dm = make(dm => 'ann', with => 'bob');

admit($group, 'ann', 'low', 'bob=50');
must('POST', "/v1/rooms/$group/invite", 'ann', { participant_id => 'cy' });
must('POST', "/v1/rooms/$group/ban", 'ann', { participant_id => 'eve' });

# every row with a body: a good one, and a field that is broken
my @rows = (
    ['POST', 'invite', { participant_id => 'nobody' }, 'participant_id'],
    ['POST', 'kick', { participant_id => 'nobody' }, 'participant_id'],
    ['POST', 'ban', { participant_id => 'nobody' }, 'participant_id'],
    ['POST', 'unban', { participant_id => 'nobody' }, 'participant_id'],
    ['PUT', 'members/nobody/power-level', { power_level => 5 },
     'power_level'],
    ['PUT', 'name', { name => 'x' }, 'name'],
    ['PUT', 'topic', { topic => 'x' }, 'topic'],
    ['PUT', 'workspace', { workspace_id => 'ws-x' }, 'workspace_id'],
    ['PUT', 'notification-mode', { notification_mode => 'all' },
     'notification_mode'],
    ['PUT', 'mute', { muted => true }, 'muted'],
    ['PUT', 'read', { event_id => 'evt-x' }, 'event_id'],
    ['POST', 'send', { content => {} }, 'content'],
);
my @bare = map { ['POST', $_] } qw(join leave close archive rejoin);
my @reads = map { ['GET', $_] } qw(members messages state);
my $at = sub { my ($room, $end) = @_; "/v1/rooms/$room/$end" };

# token, path and method
for my $call (['GET', '/v1/directory/nothing'], ['GET', '/v1/rooms/a/b/c/d/e/f/g'],
              ['DELETE', '/v1/rooms'], ['PATCH', "/v1/rooms/$group/name"],
              ['POST', "/v1/rooms/$group/nothing"])
{
    expect('401 SW_AUTH_INVALID_TOKEN', @$call, undef);
    expect('401 SW_AUTH_INVALID_TOKEN', @$call, undef, '{');
}

# path and method, body
expect('404 SW_NOT_FOUND', 'POST', '/v1/auth/nothing', 'ann', '{');
expect('404 SW_NOT_FOUND', 'POST', "/v1/rooms/$group/nothing", 'ann', '{');

for my $call (['PUT', '/v1/rooms', 'POST'],
              ['POST', $at->($group, 'name'), 'PUT'],
              ['GET', $at->($group, 'join'), 'POST'],
              ['POST', $at->($group, 'messages'), 'GET, HEAD'],
              ['PUT', "/v1/rooms/$group", 'GET, HEAD'],
              ['PUT', '/v1/workspaces', 'GET, HEAD, POST'])
{
    my $res = expect('405 SW_METHOD_NOT_ALLOWED', @$call[0, 1], 'ann', '{');

    is($res->{headers}{allow}, $call->[2], 'Allow');
}

# token, body
expect('401 SW_AUTH_INVALID_TOKEN', $_->[0], $at->($group, $_->[1]), undef,
       '{') for @rows;
expect('401 SW_AUTH_INVALID_TOKEN', 'POST', '/v1/rooms', undef, '{');

# body, seen: the fault of a body is told to whoever sends it
for my $row (@rows) {
    my ($method, $end, $body, $field) = @$row;

    for my $room ($group, 'room-00000000000000000000000000', 'x') {
        expect("400 SW_VALIDATION_FAILED $field", $method,
               $at->($room, $end), 'dan', { $field => [] });
        expect('400 SW_VALIDATION_FAILED body', $method, $at->($room, $end),
               'dan', '[]');
    }
}

expect('400 SW_VALIDATION_FAILED name', 'PUT', $at->($group, 'name'), 'dan',
       { name => '' });
expect('400 SW_VALIDATION_FAILED topic', 'PUT', $at->($group, 'topic'),
       'dan', { topic => 'x' x 1025 });
expect('400 SW_VALIDATION_FAILED power_level', 'PUT',
       $at->($group, 'members/bob/power-level'), 'dan',
       { power_level => 101 });
expect('413 SW_CONTENT_TOO_LARGE', 'POST', $at->($group, 'send'), 'dan',
       { content => { a => 'x' x 65536 } });
expect('400 SW_VALIDATION_FAILED participant_ids', 'POST',
       $at->($group, 'invite'), 'dan', { participant_ids => [] });
expect('400 SW_VALIDATION_FAILED reason', 'POST', $at->($group, 'kick'),
       'dan', { participant_id => 'bob', reason => 'x' x 1025 });
expect('400 SW_VALIDATION_FAILED notification_mode', 'PUT',
       $at->($group, 'notification-mode'), 'dan',
       { notification_mode => 'x' });
expect('400 SW_VALIDATION_FAILED muted_until', 'PUT', $at->($group, 'mute'),
       'dan', { muted_until => 'x' });
expect('400 SW_VALIDATION_FAILED limit', 'GET',
       $at->($group, "$_->[1]?limit=0"), 'dan') for @reads[0, 1];

# seen, joined: who doesn't see it is told 404 by every row, with the body
# that an unknown room has
for my $row (@rows, @bare, @reads) {
    my ($method, $end, $body) = @$row;
    my $unseen = expect('404 SW_ROOM_NOT_FOUND', $method,
                        $at->($group, $end), 'dan', $body);
    my $unknown = call($method, $at->('room-00000000000000000000000000',
                                      $end), 'dan', $body);

    same_but_request_id($unseen, $unknown, "$end: as an unknown room");
    expect('404 SW_ROOM_NOT_FOUND', $method, $at->($group, $end), 'eve',
           $body);
    expect('404 SW_ROOM_NOT_FOUND', $method, $at->($dm, $end), 'dan', $body);
}

# who sees it without being in it: 403, before anything else is wrong
for my $row (@rows, @reads) {
    my ($method, $end, $body) = @$row;

    expect('403 SW_ROOM_FORBIDDEN', $method, $at->($group, $end), 'cy',
           $body);
    expect('403 SW_ROOM_FORBIDDEN', $method, $at->($public, $end), 'dan',
           $body);
}

# joined, type invariant: somebody who was invited to a DM
redis('HSET', key("r:$dm:members"), 'cy', 'invite 0 0 0');
redis('ZADD', key("r:$dm:list"), 0, 'cy');
redis('HINCRBY', key("r:$dm"), 'invited', 1);

my %dm_forbids = map { $_ => 1 } qw(invite kick ban unban name workspace
                                    members/nobody/power-level);

for my $row (grep { $dm_forbids{$_->[1]} } @rows) {
    my ($method, $end, $body) = @$row;

    expect('403 SW_ROOM_FORBIDDEN', $method, $at->($dm, $end), 'cy', $body);
    expect('400 SW_ROOM_TYPE_INVARIANT', $method, $at->($dm, $end), 'ann',
           $body);
}

# type invariant, frozen
must('POST', $at->($dm, 'archive'), 'ann');

for my $row (grep { $dm_forbids{$_->[1]} } @rows) {
    my ($method, $end, $body) = @$row;

    expect('400 SW_ROOM_TYPE_INVARIANT', $method, $at->($dm, $end), 'ann',
           $body);
}

expect('400 SW_ROOM_TYPE_INVARIANT', 'POST', $at->($dm, 'join'), 'ann');
expect('400 SW_ROOM_TYPE_INVARIANT', 'POST', $at->($dm, 'leave'), 'ann');

# an emptied incognito room is seen by who left it last, and is frozen
my $secret = make(incognito => 'ann', close_on_leave => false);

must('POST', $at->($secret, 'leave'), 'ann');
expect('200', 'GET', "/v1/rooms/$secret", 'ann');
expect('400 SW_ROOM_TYPE_INVARIANT', 'POST', $at->($secret, 'join'), 'ann');

# joined, frozen
for my $state (qw(archive close)) {
    my $room = make(group => 'ann');

    admit($room, 'ann', 'low');
    must('POST', $at->($room, 'invite'), 'ann', { participant_id => 'cy' });
    must('POST', $at->($room, $state), 'ann');

    for my $row (grep { $_->[1] !~ /^(?:notification-mode|mute|read)$/ }
                 @rows)
    {
        my ($method, $end, $body) = @$row;

        expect('403 SW_ROOM_FORBIDDEN', $method, $at->($room, $end), 'cy',
               $body);

        # frozen, power; and frozen, target
        expect('409 SW_ROOM_FROZEN', $method, $at->($room, $end), 'low',
               $body);
        expect('409 SW_ROOM_FROZEN', $method, $at->($room, $end), 'ann',
               $body);
    }
}

my $closed = make(group => 'ann');

admit($closed, 'ann', 'low');
must('POST', $at->($closed, 'close'), 'ann');
expect('409 SW_ROOM_FROZEN', 'POST', $at->($closed, $_), 'low')
    for qw(archive rejoin);

# frozen, capacity
redis('HSET', key('tenant'), 'max_participants', 2);

my $full = make(public => 'ann', name => 'Full');

must('POST', $at->($full, 'join'), 'low');
must('POST', $at->($full, 'archive'), 'ann');
expect('409 SW_ROOM_FROZEN', 'POST', $at->($full, 'invite'), 'ann',
       { participant_id => 'bob' });
must('POST', $at->($full, 'rejoin'), 'ann');

# power, target
for my $row (grep { $_->[1] =~ m{^(?:kick|ban|unban|members/|workspace)} }
             @rows)
{
    my ($method, $end, $body) = @$row;

    expect('403 SW_ROOM_FORBIDDEN', $method, $at->($full, $end), 'low',
           $body);
    expect('404', $method, $at->($full, $end), 'ann', $body);
}

expect('403 SW_ROOM_FORBIDDEN', 'GET',
       $at->($full, 'members?membership=ban'), 'low');

# power, precondition
expect('403 SW_ROOM_FORBIDDEN', 'PUT', $at->($full, 'name'), 'low',
       { name => 'x' }, 'If-Match' => '"x"');

# target, capacity
expect('409 SW_ROOM_CAPACITY', 'POST', $at->($full, 'invite'), 'low',
       { participant_id => 'dan' });
expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST', $at->($full, 'invite'),
       'low', { participant_id => 'nobody' });
must('POST', $at->($full, 'ban'), 'ann', { participant_id => 'dan' });
expect('403 SW_ROOM_FORBIDDEN', 'POST', $at->($full, 'invite'), 'low',
       { participant_id => 'dan' });
expect('403 SW_ROOM_FORBIDDEN', 'POST', $at->($full, 'join'), 'dan');
expect('409 SW_ROOM_CAPACITY', 'POST', $at->($full, 'join'), 'cy');

# the same for what is made: body, invariant, target, capacity of the tenant
redis('HSET', key('tenant'), 'max_rooms', 1);
expect('400 SW_VALIDATION_FAILED topic', 'POST', '/v1/rooms', 'ann',
       { room_type => 'dm', topic => 'x' x 1025 });
expect('400 SW_ROOM_TYPE_INVARIANT', 'POST', '/v1/rooms', 'ann',
       { room_type => 'public', name => 'x', is_public => false,
         workspace_id => 'ws-x' });
expect('404 SW_WORKSPACE_NOT_FOUND', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'x', workspace_id => 'ws-x' });
expect('409 SW_TENANT_CAPACITY', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'x' });
expect('400 SW_VALIDATION_FAILED participant_id', 'POST', '/v1/rooms/dm',
       'ann', { participant_id => '' });
expect('400 SW_ROOM_TYPE_INVARIANT', 'POST', '/v1/rooms/dm', 'ann',
       { participant_id => 'ann' });
expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST', '/v1/rooms/dm', 'ann',
       { participant_id => 'nobody' });
expect('409 SW_TENANT_CAPACITY', 'POST', '/v1/rooms/dm', 'ann',
       { participant_id => 'cy' });
stop_nginx();

done_testing();
