# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/dm, and what a DM is

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan));

my $dm = sub {
    my ($want, $who, $other) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'POST', '/v1/rooms/dm', $who,
                  { participant_id => $other });
};

my $res = $dm->(<<"END", 'ann', 'bob');
201
data.id ~ ^room-
data.room_type = dm
data.room_alias null
data.name = bob
data.topic null
data.is_public = false
data.scope_kind null
data.workspace_id null
data.state = open
data.creator_id = ann
data.members_count = 2
data.invited_count = 0
data.me.membership = join
data.me.power_level = 100
END
my $room = $res->{data}{id};
my $path = "/v1/rooms/$room";

is($res->{headers}{location}, $path, 'Location');
$dm->("200\ndata.id = $room\ndata.name = ann\ndata.me.power_level = 100",
      'bob', 'ann');
$res = $dm->("200\ndata.id = $room\ndata.name = bob", 'ann', 'bob');
is($res->{headers}{location}, undef, 'nothing was made, no Location');
is(scalar(events($room, 'ann')), 1, 'one event');
expect("200\ndata.name = ann", 'GET', $path, 'bob');
expect("200\ndata.name = bob", 'GET', $path, 'ann');
verify_room($room);

$dm->('400 SW_ROOM_TYPE_INVARIANT', 'ann', 'ann');
$dm->('404 SW_PARTICIPANT_NOT_FOUND', 'ann', 'nobody');
$dm->('404 SW_PARTICIPANT_NOT_FOUND', 'ann', "no\x{e9}");
$dm->('404 SW_PARTICIPANT_NOT_FOUND', 'ann@other', 'bob');
$dm->('400 SW_VALIDATION_FAILED participant_id', 'ann', '');

for my $bad (undef, 1, true, [], {}) {
    $dm->('400 SW_VALIDATION_FAILED participant_id', 'ann', $bad);
}

expect('400 SW_VALIDATION_FAILED participant_id', 'POST', '/v1/rooms/dm',
       'ann', {});
expect('405 SW_METHOD_NOT_ALLOWED', 'DELETE', '/v1/rooms/dm', 'ann');

# a display name from the token isn't had with mock; from the store it is
redis('HSET', key('participants'), 'cy',
      '{"local_id":"cy","display_name":"Cy \u00c9","participant_type":'
      . '"user"}');

my $other = $dm->("201\ndata.name = Cy \xc3\x89", 'ann', 'cy')->{data}{id};

isnt($other, $room, 'another pair, another room');
expect("200\ndata.name = ann", 'GET', "/v1/rooms/$other", 'cy');

# a pair is not another whose names run together alike
known('a', 'a.b', 'b.c', 'c');
isnt(make(dm => 'a', with => 'b.c'), make(dm => 'a.b', with => 'c'),
     'pairs');

# a DM is its two sides
for my $call (['POST', 'invite', { participant_id => 'dan' }],
              ['POST', 'invite', { participant_ids => ['dan'] }],
              ['POST', 'kick', { participant_id => 'bob' }],
              ['POST', 'ban', { participant_id => 'bob' }],
              ['POST', 'ban', { participant_id => 'dan' }],
              ['POST', 'unban', { participant_id => 'bob' }],
              ['POST', 'leave'],
              ['PUT', 'name', { name => 'x' }],
              ['PUT', 'members/bob/power-level', { power_level => 1 }],
              ['PUT', 'members/ann/power-level', { power_level => 1 }])
{
    expect('400 SW_ROOM_TYPE_INVARIANT', $call->[0], "$path/$call->[1]",
           'ann', $call->[2]);
}

for my $call (['GET', ''], ['GET', '/members'], ['GET', '/state'],
              ['GET', '/messages'],
              ['POST', '/join'], ['POST', '/leave'],
              ['POST', '/invite', { participant_id => 'dan' }])
{
    expect('404 SW_ROOM_NOT_FOUND', $call->[0], "$path$call->[1]", 'dan',
           $call->[2]);
}

# either side archives it, either brings it back
must('PUT', "$path/topic", 'bob', { topic => 'x' });
expect("200\ndata.state = archived\ndata.name = ann", 'POST',
       "$path/archive", 'bob');
expect('409 SW_ROOM_FROZEN', 'POST', "$path/send", 'ann',
       { content => {} });
expect("200\ndata.state = open\ndata.name = bob", 'POST', "$path/rejoin",
       'ann');
must('POST', "$path/archive", 'ann');
$dm->("200\ndata.id = $room\ndata.state = open\ndata.name = ann", 'bob',
      'ann');
is(newest($room, 'ann')->{event_type}, 'swp.room.state', 'an event');
is(newest($room, 'ann')->{sender_id}, 'bob', 'of who brought it back');
expect("200\ndata.state = open", 'GET', $path, 'ann');
verify_room($room);

# closed, it makes room for another
expect("200\ndata.state = closed", 'POST', "$path/close", 'bob');
$dm->('404 SW_PARTICIPANT_NOT_FOUND', 'ann', 'nobody');

my $second = $dm->("201\ndata.name = ann", 'bob', 'ann')->{data}{id};

isnt($second, $room, 'a new one');
$dm->("200\ndata.id = $second", 'ann', 'bob');
expect("200\ndata.state = closed", 'GET', $path, 'ann');
expect('409 SW_ROOM_FROZEN', 'POST', "$path/rejoin", 'ann');
must('POST', "$path/close", 'ann');
$dm->("200\ndata.id = $second", 'ann', 'bob');

# capacity is for rooms that are joined: two sides always have their place
tenant('tiny');
known(qw(ann bob));
redis('HSET', key('tenant'), 'max_participants', 2);
make(dm => 'ann', with => 'bob');
is(redis('HGET', key('tenant'), 'rooms'), 1, 'a DM is a room of the tenant');
stop_nginx();

done_testing();
