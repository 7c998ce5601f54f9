# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Event times never run backwards within a room: another node, whose clock is
# an hour ahead, has written its last event.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob));

my $room = make(public => 'ann', name => 'Room');
my $other = make(group => 'ann', name => 'Other');
my $ahead = (time() + 3600) * 1000 + 123;

redis('HSET', key("r:$room"), 'at', $ahead);

my $body = { content => { body => 'late' } };
my @key = ('Idempotency-Key' => 'late');
my $sent = call('POST', "/v1/rooms/$room/send", 'ann', $body, @key);

is($sent->{data}{origin_ts}, int($ahead / 1000), 'the later time');
like($sent->{data}{created_at}, qr/\.123Z$/, 'to the millisecond');
is(call('POST', "/v1/rooms/$room/send", 'ann', $body, @key)->{body},
   $sent->{body}, 'a replay has it, too');

must('POST', "/v1/rooms/$room/join", 'bob', {});
must('PUT', "/v1/rooms/$room/name", 'ann', { name => 'Renamed' });
must('POST', "/v1/rooms/$room/events/$sent->{data}{id}/edit", 'ann', $body);
must('POST', "/v1/rooms/$room/events/$sent->{data}{id}/reaction", 'bob',
     { emoji => '+' });
must('POST', "/v1/rooms/$room/leave", 'bob', {});

my @times = map { $_->{created_at} } events($room, 'ann');

is("@times", join(' ', sort @times), 'none is before the one before it');
is((scalar grep { $_ eq $sent->{data}{created_at} } @times), 6,
   'until the clock is there, all have the same');
is((grep { $_->{id} eq $sent->{data}{id} } events($room, 'ann'))[0]{created_at},
   $sent->{data}{created_at}, 'history says what the answer said');
cmp_ok(must('POST', "/v1/rooms/$other/send", 'ann', $body)->{origin_ts}, '<',
       int($ahead / 1000), 'another room has its own');

# a room that another program has created, and another node has just written to

my $side = make(group => 'ann', name => 'Side');
my ($meta) = @{redis('HMGET', key("r:$side"), 'meta')};

redis('HSET', key("r:$side"), 'meta', $meta =~ s/^\w+/sidekick/r,
      'at', $ahead);
redis('HDEL', key("r:$side"), 'position');
is(must('POST', "/v1/rooms/$side/send", 'ann', $body)->{origin_ts},
   int($ahead / 1000), 'its first event is no earlier');

# what is no time is none

for my $odd ('9' x 16, '9' x 15, '1 2', '9e14', 'x', '', "0000$ahead", " $ahead",
             "$ahead.0", sprintf('0x%x', $ahead))
{
    redis('HSET', key("r:$room"), 'at', $odd);

    my $said = must('POST', "/v1/rooms/$room/send", 'ann', $body);

    ok($said->{origin_ts} >= $^T && $said->{origin_ts} < $^T + 3000, "'$odd'");
}

redis('HSET', key("r:$room"), 'at', 1000);
cmp_ok(must('POST', "/v1/rooms/$room/send", 'ann', $body)->{origin_ts}, '>=',
       $^T, 'an earlier one changes nothing');

done_testing();
