# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Open, archived, closed; what is frozen; rooms that empty; incognito leave.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan eve mod low));

my ($room, $path);
my $new = sub {
    my ($type, %fields) = @_;

    $room = make($type, 'ann', %fields);
    $path = "/v1/rooms/$room";
};
my $act = sub {
    my ($want, $op, $who) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'POST', "$path/$op", $who);
};
my $last = sub {
    (redis('ZREVRANGE', key("r:$room:events"), 0, 0, 'WITHSCORES'))->[1];
};

# who may archive, rejoin and close
$new->('group', name => 'States');
admit($room, 'ann', 'mod=50', 'low=49', 'bob');
must('POST', "$path/invite", 'ann', { participant_id => 'cy' });
$act->('403 SW_ROOM_FORBIDDEN', 'archive', 'low');
$act->('403 SW_ROOM_FORBIDDEN', 'archive', 'cy');
$act->('404 SW_ROOM_NOT_FOUND', 'archive', 'eve');
$act->("200\ndata.state = archived\ndata.id = $room\ndata.me.power_level = 50"
       . "\ndata.members_count = 4", 'archive', 'mod');

my $at = $last->();

$act->("200\ndata.state = archived", 'archive', 'ann');
is($last->(), $at, 'archiving again is no change');
$act->('403 SW_ROOM_FORBIDDEN', 'archive', 'low');
$act->('403 SW_ROOM_FORBIDDEN', 'rejoin', 'low');
$act->('403 SW_ROOM_FORBIDDEN', 'rejoin', 'cy');
$act->('404 SW_ROOM_NOT_FOUND', 'rejoin', 'eve');
$act->("200\ndata.state = open\ndata.me.power_level = 50"
       . "\ndata.room_alias = \"#states:rooms.test\"", 'rejoin', 'mod');
$at = $last->();
$act->("200\ndata.state = open", 'rejoin', 'ann');
is($last->(), $at, 'rejoining an open room is no change');
$act->('403 SW_ROOM_FORBIDDEN', 'close', 'mod');
$act->('403 SW_ROOM_FORBIDDEN', 'close', 'cy');
$act->('404 SW_ROOM_NOT_FOUND', 'close', 'eve');
$act->("200\ndata.state = closed\ndata.room_alias null", 'close', 'ann');
$at = $last->();
$act->("200\ndata.state = closed\ndata.room_alias null", 'close', 'ann');
is($last->(), $at, 'closing again is no change');
$act->('403 SW_ROOM_FORBIDDEN', 'close', 'bob');
$act->('409 SW_ROOM_FROZEN', 'rejoin', 'ann');
$act->('409 SW_ROOM_FROZEN', 'archive', 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'GET', '/v1/rooms/%23states', 'ann');
expect("200\ndata.state = closed", 'GET', $path, 'ann');
verify_room($room);

# the creator closes whatever their power is; another needs 100
$new->('group');
admit($room, 'ann', 'bob=100', 'mod=99');
must('PUT', "$path/members/ann/power-level", 'ann', { power_level => 0 });
$act->('403 SW_ROOM_FORBIDDEN', 'close', 'mod');
$act->('403 SW_ROOM_FORBIDDEN', 'archive', 'ann');
$act->("200\ndata.state = closed", 'close', 'ann');
$new->('group');
admit($room, 'ann', 'bob=100');
$act->("200\ndata.state = archived", 'archive', 'bob');
$act->("200\ndata.state = closed", 'close', 'bob');

# what is frozen
my %frozen = (
    invite => ['POST', 'invite', { participant_id => 'eve' }],
    kick => ['POST', 'kick', { participant_id => 'bob' }],
    ban => ['POST', 'ban', { participant_id => 'bob' }],
    unban => ['POST', 'unban', { participant_id => 'dan' }],
    power => ['PUT', 'members/bob/power-level', { power_level => 1 }],
    name => ['PUT', 'name', { name => 'x' }],
    topic => ['PUT', 'topic', { topic => 'x' }],
    send => ['POST', 'send', { content => {} }],
);
my ($ann) = known('ann');

$frozen{workspace} = ['PUT', 'workspace',
                      { workspace_id => $ann->{workspace_id} }];

for my $state (qw(archive close)) {
    for my $type (qw(group public incognito)) {
        $new->($type);
        admit($room, 'ann', 'bob');
        must('POST', "$path/invite", 'ann', { participant_id => 'cy' });
        must('POST', "$path/ban", 'ann', { participant_id => 'dan' });

        my $event = must('POST', "$path/send", 'bob', { content => {} });

        must('POST', "$path/$state", 'ann');
        $at = $last->();

        for my $op (sort keys %frozen) {
            my ($method, $end, $body) = @{$frozen{$op}};

            expect('409 SW_ROOM_FROZEN', $method, "$path/$end", 'ann',
                   $body);
        }

        $act->('409 SW_ROOM_FROZEN', 'join', 'cy');
        $act->('409 SW_ROOM_FROZEN', 'join', 'ann');
        is($last->(), $at, "$type: nothing was changed");

        # what goes on
        expect('200', 'GET', $path, 'cy');
        expect("200\nmeta.has_more = false", 'GET', "$path/messages", 'bob');
        expect("200\ndata # 3", 'GET', "$path/members", 'bob');
        expect('200', 'PUT', "$path/notification-mode", 'bob',
               { mode => 'none' });
        expect('200', 'PUT', "$path/mute", 'bob', { muted => true });
        expect("200\ndata.advanced = true", 'PUT', "$path/read", 'ann',
               { event_id => $event->{id} });
        is($last->(), $at, 'settings are no events');
        expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'eve');
        expect('404 SW_ROOM_NOT_FOUND', 'POST', "$path/join", 'eve');
        $act->("200\ndata.membership = leave", 'leave', 'cy');
        $act->("200\ndata.membership = leave", 'leave', 'bob');
        expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'bob');
        verify_room($room);
        $act->("200\ndata.state = closed", 'close', 'ann');
    }
}

# a public room that isn't open is seen by its members alone
$new->('public', name => 'Hidden');
expect('200', 'GET', $path, 'bob');
must('POST', "$path/archive", 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'bob');
expect('404 SW_ROOM_NOT_FOUND', 'GET', '/v1/rooms/%23hidden', 'bob');
must('POST', "$path/rejoin", 'ann');
expect('200', 'GET', $path, 'bob');

# the last member leaves: archived, and theirs to bring back, at 100
$new->('public', name => 'Empty');
must('POST', "$path/join", 'bob');
$act->('200', 'leave', 'ann');
must('PUT', "$path/members/bob/power-level", 'bob', { power_level => 100 });

my $event = $act->("200\ndata.membership = leave", 'leave', 'bob');

is_deeply([redis('HMGET', key("r:$room"), 'state', 'joined', 'admins')],
          [['archived', '0', '0']], 'archived, without members');
expect("200\ndata.state = archived\ndata.me null\ndata.members_count = 0",
       'GET', $path, 'bob');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'cy');
expect("200\ndata.state = archived", 'GET', $path, 'cy!');
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/messages", 'bob');
$act->('404 SW_ROOM_NOT_FOUND', 'rejoin', 'ann');
$act->('404 SW_ROOM_NOT_FOUND', 'rejoin', 'cy');
$act->('403 SW_ROOM_FORBIDDEN', 'leave', 'bob');
$act->("200\ndata.state = open\ndata.me.membership = join"
       . "\ndata.me.power_level = 100\ndata.members_count = 1", 'rejoin',
       'bob');
is((events($room, 'bob'))[-1]{event_type}, 'swp.room.state', 'one event');
verify_room($room);

# once brought back, the one who left it last has no claim to it any more
must('POST', "$path/join", 'cy');
$act->('200', 'leave', 'bob');
$act->('200', 'archive', 'cy');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'bob');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'dan!');
verify_room($room);
$act->('404 SW_ROOM_NOT_FOUND', 'rejoin', 'dan!');

# an archived room that empties; a tenant admin brings it back
$act->('200', 'leave', 'cy');
expect("200\ndata.state = archived", 'GET', $path, 'cy');
$act->("200\ndata.state = open\ndata.me.power_level = 100"
       . "\ndata.me.membership = join", 'rejoin', 'dan!');
expect('200', 'GET', $path, 'cy');
$act->('200', 'leave', 'dan');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'cy');
verify_room($room);

# unless banned from it
$new->('group');
must('POST', "$path/ban", 'ann', { participant_id => 'dan' });
must('POST', "$path/leave", 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'dan!');
$act->('404 SW_ROOM_NOT_FOUND', 'rejoin', 'dan!');
expect('200', 'GET', $path, 'eve!');

# kicked out as the last but the kicker: nobody else
$new->('group');
admit($room, 'ann', 'bob');
must('POST', "$path/kick", 'ann', { participant_id => 'bob' });
expect("200\ndata.state = open\ndata.members_count = 1", 'GET', $path,
       'ann');

# a closed room that empties is nobody's
$new->('group');
must('POST', "$path/close", 'ann');
$act->('200', 'leave', 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'ann!');
is(redis('ZSCORE', key('p:ann:rooms'), $room), undef, 'and in no index');

# rejoining an emptied room takes a seat, whoever is invited
tenant('seats');
known(qw(ann bob cy));
$new->('group');
must('POST', "$path/invite", 'ann', { participant_id => $_ })
    for qw(bob cy);
must('POST', "$path/leave", 'ann');
redis('HSET', key('tenant'), 'max_participants', 2);
$act->('409 SW_ROOM_CAPACITY', 'rejoin', 'ann');
must('POST', "$path/leave", 'cy');
$act->("200\ndata.invited_count = 1\ndata.members_count = 1", 'rejoin',
       'ann');
tenant('acme');

# the creator leaves an incognito room
for my $fields ({}, { close_on_leave => true }) {
    $new->('incognito', %$fields);
    admit($room, 'ann', 'bob');
    must('POST', "$path/invite", 'ann', { participant_id => 'cy' });
    must('POST', "$path/send", 'bob',
         { content => { body => 'VERY-SECRET-TEXT' }, event_uuid => 'u1' },
         'Idempotency-Key' => "key-$room");
    must('PUT', "$path/topic", 'ann', { topic => 'SECRET-TOPIC' });
    $act->("200\ndata.membership = leave\ndata.participant_id = ann",
           'leave', 'ann');

    my @left = @{redis('ZRANGE', key("r:$room:events"), 0, -1)};

    is(scalar @left, 1, 'all events are gone but that of the closing');
    like($left[0], qr/"event_type":"swp\.room\.state"/, 'a state');
    like($left[0], qr/"state":"closed"/, 'closed');

    my @text = grep { redis('TYPE', $_) eq 'string'
                      && redis('GET', $_) =~ /SECRET-TEXT/
                      || redis('TYPE', $_) eq 'hash'
                      && grep { /SECRET-TEXT/ } @{redis('HVALS', $_)} }
               @{redis('KEYS', '*')};

    is_deeply(\@text, [], 'and no other key has the text');
    expect("200\ndata.state = closed", 'GET', $path, 'bob');
    expect("200\ndata # 1", 'GET', "$path/messages", 'bob');
    expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'ann');
    $act->('409 SW_ROOM_FROZEN', 'join', 'cy');
    $act->('200', 'leave', 'bob');
    verify_room($room);
}

# unless it was made otherwise
$new->('incognito', close_on_leave => false);
admit($room, 'ann', 'bob');
must('POST', "$path/send", 'bob', { content => { body => 'kept' } });
$act->('200', 'leave', 'ann');
expect("200\ndata.state = open\ndata.me.power_level = 100", 'GET', $path,
       'bob');
is((events($room, 'bob'))[-2]{content}{body}, 'kept', 'events stay');

# others leave it as any room
$new->('incognito');
admit($room, 'ann', 'bob');
$act->('200', 'leave', 'bob');
expect("200\ndata.state = open\ndata.members_count = 1", 'GET', $path,
       'ann');

# a group with that scope is one of them
$new->('group', scope_kind => 'incognito');
admit($room, 'ann', 'bob');
$act->('200', 'leave', 'ann');
expect("200\ndata.state = closed", 'GET', $path, 'bob');

# other types don't know close_on_leave
$new->('group', close_on_leave => true);
admit($room, 'ann', 'bob');
$act->('200', 'leave', 'ann');
expect("200\ndata.state = open", 'GET', $path, 'bob');
stop_nginx();

done_testing();
