# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A participant is deactivated: tokens, memberships, invites, DMs, what waits.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Stream;
use RoomsTest::WebSocket;
use RoomsTest::Row;

start('', workers => 2);

my $long = 60 * patience();

# The walk has ended the memberships.
sub left {
    my ($who) = @_;
    my $data;

    wait_for($long, sub {
        $data = must('POST', "/v1/admin/participants/$who/deactivate", 'root!');
        defined $data->{memberships_ended_at};
    });

    return $data;
}

sub events_of {
    my ($room) = @_;

    return map { row_event($_) }
           @{redis('ZRANGE', key("r:$room:events"), 0, -1)};
}

known(qw(ann bob cid dan eve root));

my $group = make(group => 'ann', name => 'Group');
my $alone = make(group => 'ann', name => 'Alone');
my $public = make(public => 'bob', name => 'Public');
my $secret = make(incognito => 'ann');
my $guest = make(incognito => 'bob');
my $invited = make(group => 'bob', name => 'Invited');
my $closed = make(group => 'ann', name => 'Closed');
my $dm = make(dm => 'ann', with => 'bob');

admit($group, 'ann', 'bob=50', 'cid=60', 'dan');
admit($secret, 'ann', 'bob');
admit($guest, 'bob', 'ann');
must('POST', "/v1/rooms/$public/join", 'ann');
must('POST', "/v1/rooms/$invited/invite", 'bob', { participant_id => 'ann' });
must('POST', "/v1/rooms/$closed/close", 'ann');
must('POST', "/v1/rooms/$secret/send", 'ann', { content => { body => 'x' } });
must('PUT', "/v1/rooms/$public/topic", 'bob', { topic => 'T' });

expect('403 SW_AUTH_INSUFFICIENT_PERMISSION', 'POST',
       '/v1/admin/participants/ann/deactivate', 'bob');
expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST',
       '/v1/admin/participants/nobody/deactivate', 'root!');
expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST',
       '/v1/admin/participants/nobody/reactivate', 'root!');
expect("200\ndata.deactivated = false", 'POST',
       '/v1/admin/participants/ann/reactivate', 'root!');

my $since = must('GET', '/v1/sync?since=now&timeout=0', 'ann')->{next_cursor};
my ($poll) = do {
    # a long poll that waits when its participant goes
    my $child = fork() // die "fork: $!\n";

    if (!$child) {
        my $began = time;
        my $res = call('GET', "/v1/sync?since=$since&timeout=50000", 'ann');

        POSIX::_exit($res->{status} == 403
                     && $res->{code} eq 'SW_PARTICIPANT_DEACTIVATED'
                     && time - $began < 40 * patience() ? 0 : 1);
    }

    sleep 0.5;
    $child;
};

# and streams
my $sse = RoomsTest::Stream->new('/v1/sync?since=now', token('ann'));
my $socket = RoomsTest::WebSocket->new('/v1/stream?since=now', token('ann'));

ok($sse->next('caught_up'), 'a stream');
ok($socket->next('caught_up'), 'a WebSocket');

my $before = event_count();

expect("200\ndata.id = \"ann\"\ndata.deactivated = true", 'POST',
       '/v1/admin/participants/ann/deactivate', 'root!');

# what changes something is refused at once, whatever a worker remembers
expect('403 SW_PARTICIPANT_DEACTIVATED', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'New' }) for 1 .. 4;
expect('403 SW_PARTICIPANT_DEACTIVATED', 'POST', '/v1/auth/register', 'ann');

waitpid $poll, 0;
is($?, 0, 'a long poll ends');
is_deeply(($sse->next('end', 60) || {})->{data},
          { code => 'SW_PARTICIPANT_DEACTIVATED',
            reconnect => JSON::PP::false() }, 'a stream ends, and says why');
ok($sse->closed, '... and is closed');
is_deeply([$socket->closed(60)], [4001, 'SW_PARTICIPANT_DEACTIVATED'],
          'so does a WebSocket');

# whether a worker remembers them or not, a page can read why
is_deeply([RoomsTest::WebSocket->new('/v1/stream', token('ann'))->closed],
          [4001, 'SW_PARTICIPANT_DEACTIVATED'], 'nor does another begin')
    for 1 .. 4;

left('ann');

my %rows = map { $_ => { who_is($_) } }
           $group, $alone, $public, $secret, $guest, $invited, $closed, $dm;

for my $room ($group, $alone, $public, $secret, $guest, $invited, $closed) {
    ok(!$rows{$room}{ann}, 'no member of it any more');
    verify_room($room);
}

is($rows{$group}{cid}[1], 100, 'the power passes to the highest');
is(redis('HGET', key("r:$alone"), 'state'), 'archived',
   'a room that emptied is archived');
is(redis('HGET', key("r:$secret"), 'state'), 'closed',
   'an incognito room goes with its creator');
is(scalar(grep { $_->{event_type} eq 'swp.room.message' } events_of($secret)), 0,
   '... and so do its events');
is_deeply($rows{$dm}{ann}, ['join', 100], 'a DM keeps its sides');
is(redis('HGET', key("r:$dm"), 'state'), 'archived', '... and is archived');
is_deeply(redis('ZRANGE', key('p:ann:rooms'), 0, -1),
          [sort $alone, $dm], 'what is left in the index');

my ($last) = reverse events_of($group);

is($last->{event_type}, 'swp.room.member', 'each has left by an event');
is($last->{sender_id}, 'ann', '... of their own');
is($last->{content}{membership}, 'leave', '... that says so');
is($last->{content}{successor}{participant_id}, 'cid',
   '... and who comes after them');
is((reverse events_of($invited))[0]{content}{previous}, 'invite',
   'an invite is withdrawn');

my $count = event_count();

left('ann');
sleep 0.1;
is(event_count(), $count, 'once more changes nothing');
wait_for($long, sub { !redis('ZCARD', key('offboard')) });
is(redis('ZCARD', key('offboard')), 0, 'nobody is on the list');

# until it is taken back
expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST', "/v1/rooms/$group/invite",
       'cid', { participant_id => 'ann' });
expect("200\ndata.results[0].error.code = \"SW_PARTICIPANT_NOT_FOUND\"\n"
       . "data.results[1].membership = \"invite\"", 'POST',
       "/v1/rooms/$group/invite", 'cid', { participant_ids => ['ann', 'eve'] });
expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST', '/v1/rooms/dm', 'bob',
       { participant_id => 'ann' });
expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST', '/v1/rooms/dm', 'eve',
       { participant_id => 'ann' });
expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST', "/v1/rooms/$dm/rejoin", 'bob');

my $ws = must('POST', '/v1/workspaces', 'bob', { name => 'W' })->{id};

expect('404 SW_PARTICIPANT_NOT_FOUND', 'POST', "/v1/workspaces/$ws/members",
       'bob', { participant_id => 'ann', role => 'viewer' });

# a ban may come before membership still
expect('200', 'POST', "/v1/rooms/$public/ban", 'bob',
       { participant_id => 'ann' });
expect('200', 'POST', "/v1/rooms/$public/unban", 'bob',
       { participant_id => 'ann' });

expect('409 SW_PARTICIPANT_ACTIVE', 'POST',
       '/v1/admin/participants/bob/erase', 'root!');

expect("200\ndata.deactivated = false\ndata.deactivated_at = null", 'POST',
       '/v1/admin/participants/ann/reactivate', 'root!');
is(redis('HEXISTS', key('deactivated'), 'ann'), 0, 'taken back');
expect('200', 'POST', '/v1/auth/register', 'ann');
expect("200\ndata.state = \"open\"", 'POST', '/v1/rooms/dm', 'bob',
       { participant_id => 'ann' });
expect('200', 'POST', "/v1/rooms/$group/invite", 'cid',
       { participant_id => 'ann' });
expect('200', 'POST', "/v1/rooms/$group/join", 'ann');
expect("200\ndata.state = \"open\"", 'POST', "/v1/rooms/$alone/rejoin", 'ann');

# whoever asks for it while it goes on: 40 rooms, and joins in between
known('max');

my @many = map { make(public => 'bob', name => "Many $_") } 1 .. 40;

must('POST', "/v1/rooms/$_/join", 'max') for @many[0 .. 29];

my @res = many(16, (map { ['POST', "/v1/rooms/$_/join", 'max'] }
                        @many[30 .. 39]),
               ['POST', '/v1/admin/participants/max/deactivate', 'root!'],
               (map { ['POST', "/v1/rooms/$_/invite", 'bob',
                       { participant_id => 'max' }] } @many[30 .. 39]));

is($res[10]{status}, 200, 'deactivated in between');
is(scalar(grep { $_->{status} !~ /^(?:200|403|404)$/ } @res), 0,
   'all were answered');
left('max');
is(redis('ZCARD', key('p:max:rooms')), 0, 'nothing came behind the walk');
is(scalar(grep { my %w = who_is($_); $w{max} } @many), 0, '... anywhere');
verify_room($_, 'a room of many') for @many[0, 29, 30, 39];

done_testing();
