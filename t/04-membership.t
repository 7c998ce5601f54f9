# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Join, leave, invite, kick, ban, unban, power levels, succession, capacity.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan eve fay mod low gus));

my ($room, $path);
my $new = sub {
    my ($type, %fields) = @_;

    $room = make($type, 'ann', %fields);
    $path = "/v1/rooms/$room";
};
my $act = sub {
    my ($want, $op, $who, $target, %more) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'POST', "$path/$op", $who,
                  defined $target ? { participant_id => $target, %more }
                                  : undef);
};
my $power = sub {
    my ($want, $who, $target, $level) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'PUT', "$path/members/$target/power-level", $who,
                  { power_level => $level });
};
my $row = sub { my %rows = who_is($room); $rows{$_[0]} };
my $counts = sub {
    my ($joined, $invited, $name) = @_;
    my $data = call('GET', $path, 'ann')->{data};

    is("$data->{members_count} $data->{invited_count}", "$joined $invited",
       $name // 'counts');
};

# join
$new->('public');
$act->(<<"END", 'join', 'bob');
200
data # 6
data.room_id = $room
data.participant_id = bob
data.fqid = "\@bob:rooms.test"
data.membership = join
data.power_level = 0
data.joined_at ~ ^\\d{4}-.*Z\$
END

my $first = newest($room, 'bob');

$act->("200\ndata.membership = join", 'join', 'bob');
is(newest($room, 'bob')->{id}, $first->{id}, 'joining again is no change');
is(member($room, 'bob')->{joined_at},
   call('POST', "$path/join", 'bob')->{data}{joined_at},
   'nor another time of joining');
$counts->(2, 0);
$act->("200\ndata.power_level = 100", 'join', 'ann');
$act->('404 SW_ROOM_NOT_FOUND', 'join', 'bob@other');

$new->('group');
$act->('404 SW_ROOM_NOT_FOUND', 'join', 'bob');
$new->('group', is_public => true);
$act->('200', 'join', 'bob');
$new->('incognito');
$act->('404 SW_ROOM_NOT_FOUND', 'join', 'bob');
$act->("200\ndata.membership = invite\ndata.joined_at null", 'invite', 'ann',
       'bob');
$act->("200\ndata.membership = join", 'join', 'bob');

# invite: any joined member may
$new->('group');
$act->(<<"END", 'invite', 'ann', 'bob');
200
data # 6
data.room_id = $room
data.participant_id = bob
data.membership = invite
data.power_level = 0
data.joined_at null
END
$counts->(1, 1);
expect("200\ndata.me.membership = invite\ndata.me.unread_count = 0", 'GET',
       $path, 'bob');
$act->('403 SW_ROOM_FORBIDDEN', 'invite', 'bob', 'cy');
$act->('200', 'join', 'bob');
$act->("200\ndata.participant_id = cy", 'invite', 'bob', 'cy');
$first = newest($room, 'ann');
$act->("200\ndata.membership = invite", 'invite', 'ann', 'cy');
$act->("200\ndata.membership = join", 'invite', 'ann', 'bob');
$act->("200\ndata.membership = join\ndata.power_level = 100", 'invite',
       'bob', 'ann');
is(newest($room, 'ann')->{id}, $first->{id},
   'inviting who is invited or joined is no change');
$act->('404 SW_PARTICIPANT_NOT_FOUND', 'invite', 'ann', 'nobody');
$act->('404 SW_PARTICIPANT_NOT_FOUND', 'invite', 'ann', 'no such one');
$act->('400 SW_VALIDATION_FAILED participant_id', 'invite', 'ann', '');
$act->('404 SW_ROOM_NOT_FOUND', 'invite', 'dan', 'eve');
$counts->(2, 1);

for my $bad ({}, { participant_id => undef }, { participant_id => 1 },
             { participant_id => ['bob'] })
{
    expect('400 SW_VALIDATION_FAILED participant_id', 'POST',
           "$path/$_", 'ann', $bad) for qw(invite kick ban unban);
}

# declining
$act->("200\ndata.membership = leave\ndata.joined_at null", 'leave', 'cy');
$act->('404 SW_ROOM_NOT_FOUND', 'leave', 'cy');
$act->('404 SW_ROOM_NOT_FOUND', 'join', 'cy');
$counts->(2, 0);
verify_room($room);

# many at once
$new->('group');
admit($room, 'ann', 'bob');
$act->('200', 'invite', 'ann', 'cy');
$act->('200', 'ban', 'ann', 'dan');
$first = event_count();

my $batch = sub {
    my ($want, $who, @ids) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'POST', "$path/invite", $who,
                  { participant_ids => \@ids });
};

$batch->(<<"END", 'ann', qw(eve bob cy dan nobody eve fay));
200
data.results # 7
data.results[0].participant_id = eve
data.results[0].membership = invite
data.results[1].participant_id = bob
data.results[1].membership = join
data.results[2].participant_id = cy
data.results[2].membership = invite
data.results[3].participant_id = dan
data.results[3].error.code = SW_ROOM_FORBIDDEN
data.results[3].membership !
data.results[4].participant_id = nobody
data.results[4].error.code = SW_PARTICIPANT_NOT_FOUND
data.results[5].participant_id = eve
data.results[5].membership = invite
data.results[6].participant_id = fay
data.results[6].membership = invite
END
$counts->(2, 3);
is(event_count(), $first + 1, 'one commit');
$batch->("200\ndata.results # 2", 'ann', qw(eve bob));
is(event_count(), $first + 1, 'nothing to do: no event');
$batch->("200\ndata.results # 1\ndata.results[0].membership = invite", 'ann',
         'gus');
$batch->('400 SW_VALIDATION_FAILED participant_ids', 'ann');
$batch->('400 SW_VALIDATION_FAILED participant_ids', 'ann',
         map { "p$_" } 1 .. 101);
$batch->('200', 'ann', map { "p$_" } 1 .. 100);
expect('400 SW_VALIDATION_FAILED participant_ids', 'POST', "$path/invite",
       'ann', { participant_ids => $_ }) for 'bob', ['bob', 1], { a => 1 };
$batch->('400 SW_VALIDATION_FAILED', 'ann', 'bob', '');
verify_room($room);

# kick
$new->('group');
admit($room, 'ann', 'mod=50', 'bob', 'cy=50', 'dan', 'low=49');
$act->('403 SW_ROOM_FORBIDDEN', 'kick', 'low', 'bob');
$act->('403 SW_ROOM_FORBIDDEN', 'kick', 'mod', 'cy');
$act->('403 SW_ROOM_FORBIDDEN', 'kick', 'mod', 'ann');
$act->('403 SW_ROOM_FORBIDDEN', 'kick', 'mod', 'mod');
$act->("200\ndata.membership = leave\ndata.participant_id = bob"
       . "\ndata.power_level = 0\ndata.joined_at null", 'kick', 'mod', 'bob');
$act->('404 SW_PARTICIPANT_NOT_FOUND', 'kick', 'mod', 'bob');
$act->('404 SW_PARTICIPANT_NOT_FOUND', 'kick', 'mod', 'nobody');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'bob');
$act->('404 SW_ROOM_NOT_FOUND', 'join', 'bob');
$act->('200', 'kick', 'ann', 'cy', reason => 'spam');
is(newest($room, 'ann')->{content}{reason}, 'spam', 'with its reason');
$act->('400 SW_VALIDATION_FAILED reason', 'kick', 'ann', 'dan',
       reason => 'x' x 1025);
$act->('400 SW_VALIDATION_FAILED reason', 'ban', 'ann', 'dan', reason => 1);

# withdrawing an invite
$act->('200', 'invite', 'ann', 'eve');
$act->("200\ndata.membership = leave", 'kick', 'mod', 'eve');
$act->('404 SW_ROOM_NOT_FOUND', 'join', 'eve');
$counts->(4, 0);

# a peer at 100 can't remove the creator, nor the creator a peer
$power->('200', 'ann', 'dan', 100);
$act->('403 SW_ROOM_FORBIDDEN', $_, 'dan', 'ann') for qw(kick ban);
$act->('403 SW_ROOM_FORBIDDEN', $_, 'ann', 'dan') for qw(kick ban);
verify_room($room);

# ban
$new->('public');
admit($room, 'ann', 'mod=50', 'bob', 'cy=50', 'low=49');
$act->('403 SW_ROOM_FORBIDDEN', 'ban', 'low', 'bob');
$act->('403 SW_ROOM_FORBIDDEN', 'ban', 'mod', 'cy');
$act->("200\ndata.membership = ban\ndata.power_level = 0"
       . "\ndata.joined_at null", 'ban', 'mod', 'bob', reason => 'why');
is(newest($room, 'ann')->{content}{reason}, 'why', 'with its reason');
$first = newest($room, 'ann')->{id};
$act->("200\ndata.membership = ban", 'ban', 'mod', 'bob');
is(newest($room, 'ann')->{id}, $first, 'banning again is no change');
expect("200\ndata.me.membership = ban", 'GET', $path, 'bob');
$act->('403 SW_ROOM_FORBIDDEN', 'join', 'bob');
$act->('403 SW_ROOM_FORBIDDEN', 'invite', 'ann', 'bob');
$act->('404 SW_PARTICIPANT_NOT_FOUND', 'kick', 'ann', 'bob');
is($row->('bob')->[0], 'ban', 'a kick does not lift it');
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/messages", 'bob');
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/members", 'bob');
expect('403 SW_ROOM_FORBIDDEN', 'POST', "$path/send", 'bob',
       { content => {} });
$act->('403 SW_ROOM_FORBIDDEN', 'leave', 'bob');
is(call('GET', "/v1/directory/rooms?membership=join", 'bob')
   ->{meta}{has_more}, false, 'the directory goes on');

# before any membership, and of who is invited
$act->("200\ndata.membership = ban", 'ban', 'mod', 'dan');
$act->('403 SW_ROOM_FORBIDDEN', 'join', 'dan');
$act->('200', 'invite', 'ann', 'eve');
$counts->(4, 1);
$act->("200\ndata.membership = ban", 'ban', 'mod', 'eve');
$counts->(4, 0, 'a ban withdraws the invite');
$act->('403 SW_ROOM_FORBIDDEN', 'join', 'eve');
$act->('404 SW_PARTICIPANT_NOT_FOUND', 'ban', 'mod', 'nobody');

# who is banned, for who has power 50
is_deeply([map { $_->{participant_id} }
           pages("$path/members?membership=ban", 'mod', 'cursor', 2)],
          [qw(bob dan eve)], 'the list of bans');
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/members?membership=ban",
       'low');
verify_room($room);

# unban
$act->('403 SW_ROOM_FORBIDDEN', 'unban', 'low', 'bob');
$act->("200\ndata.membership = leave", 'unban', 'mod', 'bob');
$first = newest($room, 'ann')->{id};
$act->("200\ndata.membership = leave", 'unban', 'mod', 'bob');
$act->("200\ndata.membership = join", 'unban', 'mod', 'cy');
is(newest($room, 'ann')->{id}, $first, 'lifting no ban is no change');
$act->('404 SW_PARTICIPANT_NOT_FOUND', 'unban', 'mod', 'nobody');
$act->('200', 'join', 'bob');
$act->('403 SW_ROOM_FORBIDDEN', 'join', 'dan');
verify_room($room);

# in a group, who is banned doesn't even see it
$new->('group');
admit($room, 'ann', 'bob');
$act->('200', 'ban', 'ann', 'bob');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'bob');
$act->('404 SW_ROOM_NOT_FOUND', 'join', 'bob');
$act->('200', 'unban', 'ann', 'bob');
$act->('404 SW_ROOM_NOT_FOUND', 'join', 'bob');

# power levels
$new->('group');
admit($room, 'ann', 'mod=50', 'bob', 'cy=50', 'low=49');
$act->('200', 'invite', 'ann', 'dan');
$power->(<<"END", 'mod', 'bob', 50);
200
data.room_id = $room
data.participant_id = bob
data.membership = join
data.power_level = 50
END
$power->('403 SW_ROOM_FORBIDDEN', 'mod', 'bob', 10);      # a peer now
$power->('403 SW_ROOM_FORBIDDEN', 'mod', 'cy', 0);
$power->('403 SW_ROOM_FORBIDDEN', 'mod', 'low', 51);      # above one's own
$power->('403 SW_ROOM_FORBIDDEN', 'mod', 'ann', 0);
$power->('403 SW_ROOM_FORBIDDEN', 'low', 'bob', 0);
$power->('403 SW_ROOM_FORBIDDEN', 'low', 'low', 0);
$power->("200\ndata.power_level = 20", 'mod', 'low', 20);
$first = newest($room, 'ann')->{id};
$power->("200\ndata.power_level = 20", 'mod', 'low', 20);
is(newest($room, 'ann')->{id}, $first, 'the same level is no change');
$power->('200', 'mod', 'mod', 50);
$power->("200\ndata.power_level = 0", 'cy', 'cy', 0);     # one's own, down
$power->('403 SW_ROOM_FORBIDDEN', 'cy', 'cy', 50);
$power->('404 SW_PARTICIPANT_NOT_FOUND', 'ann', 'dan', 10);
$power->('404 SW_PARTICIPANT_NOT_FOUND', 'ann', 'nobody', 10);
$power->('404 SW_PARTICIPANT_NOT_FOUND', 'ann', 'no%20one', 10);
$power->('404 SW_ROOM_NOT_FOUND', 'eve', 'bob', 10);

for my $bad (-1, 101, 50.5, '50', undef, true, 1e18) {
    $power->('400 SW_VALIDATION_FAILED power_level', 'ann', 'bob', $bad);
}

expect('400 SW_VALIDATION_FAILED power_level', 'PUT',
       "$path/members/bob/power-level", 'ann', {});

# the last one at 100
$power->('409 SW_ROOM_LAST_ADMIN', 'ann', 'ann', 99);
$power->('409 SW_ROOM_LAST_ADMIN', 'eve!', 'ann', 0);
$power->('200', 'ann', 'bob', 100);
$power->('403 SW_ROOM_FORBIDDEN', 'ann', 'bob', 50);
$power->('403 SW_ROOM_FORBIDDEN', 'bob', 'ann', 50);
$power->("200\ndata.power_level = 99", 'ann', 'ann', 99);
$power->('409 SW_ROOM_LAST_ADMIN', 'bob', 'bob', 0);
verify_room($room);

# a tenant admin, in any room that is no DM, member or not
$power->("200\ndata.power_level = 100", 'gus!', 'low', 100);
is(newest($room, 'ann')->{sender_id}, 'gus', 'by event');
$power->("200\ndata.power_level = 3", 'gus!', 'bob', 3);
$power->("200\ndata.power_level = 100", 'cy!', 'cy', 100);
$power->('403 SW_ROOM_FORBIDDEN', 'mod', 'cy', 0);
expect('404 SW_ROOM_NOT_FOUND', 'PUT', "$path/name", 'gus!',
       { name => 'x' });

my $dm = make(dm => 'ann', with => 'bob');

expect('400 SW_ROOM_TYPE_INVARIANT', 'PUT',
       "/v1/rooms/$dm/members/bob/power-level", 'gus!', { power_level => 0 });
expect('400 SW_ROOM_TYPE_INVARIANT', 'PUT',
       "/v1/rooms/$dm/members/bob/power-level", 'ann', { power_level => 0 });

my $secret = make(incognito => 'ann');

expect('200', 'POST', "/v1/rooms/$secret/invite", 'ann',
       { participant_id => 'bob' });
expect('200', 'POST', "/v1/rooms/$secret/join", 'bob');
expect("200\ndata.power_level = 7", 'PUT',
       "/v1/rooms/$secret/members/bob/power-level", 'gus!',
       { power_level => 7 });
verify_room($room);

# succession: the highest-powered, and of those the longest-joined
$new->('group');
admit($room, 'ann', 'bob', 'cy=30', 'dan=60', 'eve=60', 'fay');
$act->("200\ndata.membership = leave", 'leave', 'ann');
is($row->('ann'), undef, 'gone');
is_deeply([map { $row->($_)->[1] } qw(bob cy dan eve)], [0, 30, 100, 60],
          'the power passes on');
is(newest($room, 'dan')->{content}{successor}{participant_id}, 'dan',
   'told in the event of the leave');
expect('404 SW_ROOM_NOT_FOUND', 'GET', $path, 'ann');
verify_room($room);
$act->('200', 'leave', 'dan');
is($row->('eve')->[1], 100, 'and on');
$act->('200', 'leave', 'eve');
is($row->('cy')->[1], 100, 'and on');
$act->('200', 'leave', 'cy');
is($row->('bob')->[1], 100, 'who joined first');
is($row->('fay')->[1], 0, 'and not who came later');

# who rejoined is no longer the longest joined
$act->('200', 'invite', 'bob', 'cy');
$act->('200', 'join', 'cy');
is($row->('cy')->[1], 0, 'power does not come back');
$act->('200', 'leave', 'bob');
is($row->('fay')->[1], 100, 'fay was there before cy came back');
is($row->('cy')->[1], 0, 'cy');
verify_room($room);

# who is only invited inherits nothing
$new->('public');
$act->('200', 'invite', 'ann', 'bob');
$act->('200', 'leave', 'ann');
expect('200', 'GET', $path, 'bob');
is($row->('bob')->[1], 0, 'an invited one is no successor');
is(call('GET', $path, 'bob')->{data}{state}, 'archived', 'emptied');
verify_room($room);

# one of two at 100 leaves: nobody is raised
$new->('group');
admit($room, 'ann', 'bob=100', 'cy=99');
$act->('200', 'leave', 'ann');
is($row->('cy')->[1], 99, 'no succession while there is an admin');
verify_room($room);

# capacity: an invite holds a seat, a join from it takes no second one
tenant('cap');
known(qw(ann bob cy dan eve));
redis('HSET', key('tenant'), 'max_participants', 3);
$new->('public');
$act->('200', 'invite', 'ann', 'bob');
$act->('200', 'join', 'cy');
$act->('409 SW_ROOM_CAPACITY', 'join', 'dan');
$act->('409 SW_ROOM_CAPACITY', 'invite', 'ann', 'dan');
$act->('200', 'invite', 'ann', 'bob');
$act->('200', 'invite', 'ann', 'cy');
$act->('200', 'join', 'cy');
$act->('200', 'join', 'bob');
$counts->(3, 0);
$act->('409 SW_ROOM_CAPACITY', 'join', 'dan');
$act->('200', 'ban', 'ann', 'eve');
$act->('200', 'leave', 'cy');
$act->('200', 'join', 'dan');
$act->('409 SW_ROOM_CAPACITY', 'join', 'cy');
$act->('200', 'kick', 'ann', 'dan');
expect('200', 'POST', "$path/invite", 'ann', { participant_ids => ['cy'] });
$act->("200\ndata.membership = leave", 'leave', 'cy');
expect('409 SW_ROOM_CAPACITY', 'POST', "$path/invite", 'ann',
       { participant_ids => [qw(cy dan)] });
$counts->(2, 0, 'one check for all: nobody was invited');
expect('200', 'POST', "$path/invite", 'ann',
       { participant_ids => [qw(bob cy cy)] });
$counts->(2, 1);
verify_room($room);

# a capacity of one has no place for a second side
redis('HSET', key('tenant'), 'max_participants', 2);
$new->('public');
$act->('200', 'join', 'bob');
$act->('409 SW_ROOM_CAPACITY', 'join', 'cy');
redis('HSET', key('tenant'), 'max_participants', 3);
$act->('200', 'join', 'cy');

start('rooms_max_participants 2;');
tenant('cap2');
known(qw(ann bob cy));
$new->('public');
$act->('200', 'join', 'bob');
$act->('409 SW_ROOM_CAPACITY', 'join', 'cy');
redis('HSET', key('tenant'), 'max_participants', 3);
$act->('200', 'join', 'cy');
stop_nginx();

# members
start();
tenant('members');
known(qw(ann bob cy dan eve));
$new->('public', name => 'M');
admit($room, 'ann', 'bob=20');
$act->('200', 'invite', 'ann', 'cy');
$act->('200', 'ban', 'ann', 'dan');

my @list = members($room, 'ann');

is_deeply([map { "$_->{participant_id} $_->{membership}" } @list],
          ['ann join', 'bob join', 'cy invite'], 'joined and invited');
is_deeply($list[1], { participant_id => 'bob', fqid => '@bob:rooms.test',
                      participant => { id => 'bob', local_id => 'bob',
                                       server_name => 'rooms.test',
                                       display_name => 'bob',
                                       participant_type => 'human',
                                       avatar_url => undef },
                      membership => 'join', power_level => 20,
                      joined_at => $list[1]{joined_at} },
          'a row of another');
like($list[1]{joined_at}, qr/^\d{4}-\d\d-\d\dT.*Z$/, 'a time');
is($list[2]{joined_at}, undef, 'not joined yet');
is_deeply([sort keys %{$list[0]}],
          [sort qw(participant_id fqid participant membership power_level
                   joined_at notification_mode muted_until)],
          "one's own row has mode and mute");
is_deeply([map { $_->{participant_id} }
           pages("$path/members?membership=$_->[0]", 'bob', 'cursor', 1)],
          $_->[1], "membership=$_->[0]")
    for [join => [qw(ann bob)]], [invite => ['cy']];
is_deeply([map { $_->{participant_id} }
           pages("$path/members", 'bob', 'cursor', 1)], [qw(ann bob cy)],
          'by pages of one');

for my $case ([limit => 'limit=0'], [limit => 'limit=1001'],
              [membership => 'membership=leave'],
              [membership => 'membership=x'], [cursor => 'cursor=x'])
{
    expect("400 SW_VALIDATION_FAILED $case->[0]", 'GET',
           "$path/members?$case->[1]", 'ann');
}

# a cursor of another list is a bad one, though a room could be called so
must('POST', '/v1/rooms', 'ann', { room_type => 'group', name => 'Two' });

for my $other ("/v1/directory/rooms?limit=1", "$path/messages?limit=1") {
    my $cursor = call('GET', $other, 'ann')->{meta}{next_cursor};

    ok($cursor, 'a cursor of another list');
    expect('400 SW_VALIDATION_FAILED cursor', 'GET',
           "$path/members?cursor=$cursor", 'ann');
}

expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/members", 'cy');
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/members", 'eve');
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/members", 'dan');
expect('404 SW_ROOM_NOT_FOUND', 'GET', "$path/members", 'eve@other');
expect('200', 'HEAD', "$path/members", 'ann');

# pages, while members come and go
known(map { sprintf 'm%03d', $_ } 0 .. 149);
many(8, map { ['POST', "$path/join", sprintf 'm%03d', $_] } 0 .. 149);

my @want = ('ann', 'bob', 'cy', map { sprintf 'm%03d', $_ } 0 .. 149);

is_deeply([map { $_->{participant_id} }
           pages("$path/members", 'ann', 'cursor', $_)], \@want,
          "pages of $_") for 100, 152, 153, 1000;
is(scalar @{call('GET', "$path/members", 'ann')->{data}}, 100,
   'a page is 100');

my $page = call('GET', "$path/members?limit=50", 'ann');
my @got = map { $_->{participant_id} } @{$page->{data}};

call('POST', "$path/leave", $_) for $got[-1], 'm100';
call('POST', "$path/join", 'aaa');

while ($page->{meta}{has_more}) {
    $page = call('GET', "$path/members?limit=50&cursor="
                        . $page->{meta}{next_cursor}, 'ann');
    push @got, map { $_->{participant_id} } @{$page->{data}};
}

is_deeply(\@got, [grep { $_ ne 'm100' } @want],
          'nothing that stood still is skipped or doubled');
is(scalar(pages("$path/members?membership=invite", 'ann', 'cursor', 1)), 1,
   'a filter that passes few');
verify_room($room);

# what opens a room: as its own rows give it, in one request
my $same = sub {
    my ($who, $name, $at) = @_;
    my $state = call('GET', ($at // $path) . '/state', $who)->{data};
    my $one = call('GET', $path, $who)->{data};
    my $list = call('GET', "$path/members?limit=200", $who);
    my $me = $one->{me};

    is_deeply($state, { room => $one, members => $list->{data},
                        members_truncated => $list->{meta}{has_more},
                        map { $_ => $me->{$_} }
                            qw(unread_count last_read_event_id muted_until) },
              $name);

    return $state;
};
my $state = $same->('ann', 'a group');

is_deeply([map { $_->{participant_id} } @{$state->{members}}],
          [map { $_->{participant_id} } members($room, 'ann')],
          'all of its members');
ok(!$state->{members_truncated}, 'and it says so');
$same->('ann', 'by its alias', '/v1/rooms/%23m');

for my $case ([cy => 403], [eve => 403], [dan => 403], ['eve@other' => 404]) {
    expect("$case->[1] " . ($case->[1] == 403 ? 'SW_ROOM_FORBIDDEN'
                                              : 'SW_ROOM_NOT_FOUND'),
           'GET', "$path/state", $case->[0]);
}

expect('404 SW_ROOM_NOT_FOUND', 'GET', '/v1/rooms/nonsense/state', 'ann');
expect('405', 'POST', "$path/state", 'ann', {});

my @sent = map { must('POST', "$path/send", 'ann', { content => { n => $_ } })
                     ->{id} } 1 .. 3;

must('PUT', "$path/read", 'bob', { event_id => $sent[0] });
must('PUT', "$path/mute", 'bob', { muted_until => '2999-01-01T00:00:00Z' });
must('PUT', "$path/notification-mode", 'bob',
     { notification_mode => 'mentions' });
$state = $same->('bob', 'with settings of his');
is_deeply([@$state{qw(unread_count last_read_event_id muted_until)}],
          [2, $sent[0], '2999-01-01T00:00:00.000Z'], 'marker and mute');
is_deeply([map { "$_->{participant_id} $_->{notification_mode}" }
           grep { exists $_->{notification_mode} } @{$state->{members}}],
          ['bob mentions'], "and nobody else's");
is(redis('HSET', key("r:$room:own"), 'mute bob', 1000), 0, 'a past time');
is($same->('bob', 'a mute that is over')->{muted_until}, undef, 'is none');

my @late = map { sprintf 'n%03d', $_ } 0 .. 99;

known(@late);
many(8, map { ['POST', "$path/join", $_] } @late);
$state = $same->('ann', 'a large room');
is(scalar @{$state->{members}}, 200, 'ends at 200');
ok($state->{members_truncated}, 'and says so');

redis('CONFIG', 'RESETSTAT');
call('GET', "$path/state", 'ann');
is({ redis('INFO', 'commandstats')
     =~ /cmdstat_(\w+):calls=(\d+)/g }->{zrangebylex}, 1,
   'by one reading of the index');

must('POST', "$path/archive", 'ann');
$same->('bob', 'an archived room');
must('POST', "$path/close", 'ann');
$same->('bob', 'a closed one');

# profiles as large as they may be: a page ends at 1 MiB
$new->('public', name => 'Fat');

many(8, map { ['POST', "$path/join", $_] } @late);
redis('HSET', key('participants'), $_,
      redis('HGET', key('participants'), $_)
      =~ s{"avatar_url":null}{'"avatar_url":"https://a.test/'
                              . 'x' x 8000 . '"'}er) for @late;
$state = $same->('ann', 'large profiles');
cmp_ok(scalar @{$state->{members}}, '<', 100, 'end at 1 MiB');
ok($state->{members_truncated}, 'and it says so');

# a DM is called after the other side
$room = must('POST', '/v1/rooms/dm', 'ann', { participant_id => 'bob' })->{id};
$path = "/v1/rooms/$room";
is($same->('ann', 'a DM')->{room}{name}, 'bob', 'to the one');
is($same->('bob', 'the same DM')->{room}{name}, 'ann', 'to the other');
expect('404 SW_ROOM_NOT_FOUND', 'GET', "$path/state", 'cy');
redis('HDEL', key("r:$room:members"), 'bob');
redis('ZREM', key("r:$room:list"), 'bob');
is($same->('ann', 'a DM whose other row is gone')->{room}{name}, 'bob',
   'has its name all the same');
stop_nginx();

done_testing();
