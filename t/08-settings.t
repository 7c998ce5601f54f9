# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# One's own settings: notification mode, mute, read marker, unread counts.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan eve));

my $room = make(group => 'ann');
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob');
must('POST', "$path/invite", 'ann', { participant_id => 'cy' });

my $set = sub {
    my ($want, $end, $who, $body) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'PUT', "$path/$end", $who, $body);
};
my $mode = sub { $_[0]->{data}{me}{notification_mode} };
my $me = sub { call('GET', $path, $_[0])->{data}{me} };
my $position = sub { redis('GET', key('position')) };
my $start = $position->();

# notification mode
for my $value (qw(all mentions none inherit)) {
    for my $field (qw(notification_mode mode)) {
        $set->("200\ndata # 3\ndata.room_id = $room"
               . "\ndata.notification_mode = $value\ndata.muted_until null",
               'notification-mode', 'bob', { $field => $value });
        is($me->('bob')->{notification_mode}, $value, "$field is kept");
    }
}

$set->("200\ndata.notification_mode = all", 'notification-mode', 'bob',
       { notification_mode => 'all', mode => 'none' });
is($me->('ann')->{notification_mode}, 'inherit', "another's is untouched");
is(member($room, 'bob')->{notification_mode}, 'all', 'in the own row');
ok(!exists member($room, 'ann', 'bob')->{notification_mode},
   "and in nobody else's list");

for my $bad ({}, { mode => 'loud' }, { mode => '' }, { mode => 'ALL' },
             { notification_mode => undef }, { notification_mode => 1 },
             { notification_mode => ['all'] })
{
    $set->('400 SW_VALIDATION_FAILED', 'notification-mode', 'bob', $bad);
}

$set->('400 SW_VALIDATION_FAILED mode', 'notification-mode', 'bob',
       { mode => 'x' });
$set->('400 SW_VALIDATION_FAILED notification_mode', 'notification-mode',
       'bob', { notification_mode => 'x' });
is($me->('bob')->{notification_mode}, 'all', 'what is refused is not kept');

# mute: four forms
my $later = '2099-12-31T23:59:59.000Z';

$set->("200\ndata # 3\ndata.muted_until = \"$later\""
       . "\ndata.notification_mode = all\ndata.room_id = $room", 'mute',
       'bob', { muted_until => $later });
is($me->('bob')->{muted_until}, $later, 'kept');
is(member($room, 'bob')->{muted_until}, $later, 'in the own row');
ok(!exists member($room, 'ann', 'bob')->{muted_until}, "in no other list");
is($me->('ann')->{muted_until}, undef, "another's is untouched");
$set->("200\ndata.muted_until = \"2099-12-31T22:59:59.500Z\"", 'mute',
       'bob', { muted_until => '2099-12-31T23:59:59.5+01:00' });
$set->("200\ndata.muted_until null", 'mute', 'bob', { muted => false });
is($me->('bob')->{muted_until}, undef, 'not muted');

my $before = time();
my $res = $set->("200\ndata.muted_until ~ Z\$", 'mute', 'bob',
                 { duration => 3600 });

like($res->{data}{muted_until}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
     'a time');

my @now = gmtime $before + 3600;

cmp_ok($res->{data}{muted_until}, 'ge',
       sprintf('%04d-%02d-%02dT%02d:%02d:%02d', $now[5] + 1900, $now[4] + 1,
               @now[3, 2, 1, 0]), 'an hour from now');
@now = gmtime $before + 3630;
cmp_ok($res->{data}{muted_until}, 'lt',
       sprintf('%04d-%02d-%02dT%02d:%02d:%02d', $now[5] + 1900, $now[4] + 1,
               @now[3, 2, 1, 0]), 'and no more');
$set->("200\ndata.muted_until ~ ^9999-|^[3-9]\\d{3}-", 'mute', 'bob',
       { muted => true });
$set->("200\ndata.muted_until null", 'mute', 'bob', { muted => false });

# an expired mute reads as none
$set->("200\ndata.muted_until null", 'mute', 'bob',
       { muted_until => '2001-01-01T00:00:00Z' });
is($me->('bob')->{muted_until}, undef, 'a time in the past is none');
$res = $set->("200\ndata.muted_until ~ Z\$", 'mute', 'bob',
              { duration => 1 });

my $until = time() + 5;

sleep 0.1 while defined $me->('bob')->{muted_until} && time() < $until;
is($me->('bob')->{muted_until}, undef, 'it expires by itself');
is(member($room, 'bob')->{muted_until}, undef, 'in the row too');
is($me->('bob')->{notification_mode}, 'all', 'the mode is another thing');

for my $bad ([muted_until => {}], [muted_until => { muted_until => 'soon' }],
             [muted_until => { muted_until => '2099-02-30T00:00:00Z' }],
             [muted_until => { muted_until => '2099-01-01' }],
             [muted_until => { muted_until => '2099-01-01T00:00:00' }],
             [muted_until => { muted_until => 4102444800 }],
             [muted_until => { muted_until => '' }],
             [duration => { duration => 0 }], [duration => { duration => -1 }],
             [duration => { duration => 1.5 }],
             [duration => { duration => '60' }],
             [duration => { duration => 9e15 }],
             [muted => { muted => 1 }], [muted => { muted => 'true' }],
             [muted => { muted => false, duration => 5 }],
             [duration => { muted_until => $later, duration => 5 }])
{
    $set->("400 SW_VALIDATION_FAILED $bad->[0]", 'mute', 'bob', $bad->[1]);
}

# joined members only
for my $end (['notification-mode', { mode => 'all' }],
             ['mute', { muted => true }], ['read', { event_id => 'evt-x' }])
{
    $set->('403 SW_ROOM_FORBIDDEN', $end->[0], 'cy', $end->[1]);
    $set->('404 SW_ROOM_NOT_FOUND', $end->[0], 'dan', $end->[1]);
}

is($position->(), $start, 'settings are no events');

# the read marker
my @m = map { must('POST', "$path/send", 'ann', { content => { n => $_ } }) }
        1 .. 5;

is($me->('bob')->{unread_count}, 5, 'five unread');
is($me->('bob')->{last_read_event_id}, undef, 'nothing read');
$start = $position->();
$set->(<<"END", 'read', 'bob', { event_id => $m[1]{id} });
200
data # 4
data.event_id = $m[1]{id}
data.stream_position = $m[1]{stream_position}
data.unread_count = 3
data.advanced = true
END
is_deeply([@{$me->('bob')}{qw(last_read_event_id unread_count)}],
          [$m[1]{id}, 3], 'kept');
is(call('GET', '/v1/directory/rooms', 'bob')->{data}[0]{me}{unread_count}, 3,
   'in the directory too');

# never back
my $kept = "data.event_id = $m[1]{id}\ndata.unread_count = 3"
           . "\ndata.stream_position = $m[1]{stream_position}"
           . "\ndata.advanced = false";

$set->("200\n$kept", 'read', 'bob', { event_id => $m[0]{id} });
$set->("200\n$kept", 'read', 'bob', { event_id => $m[1]{id} });
is($me->('bob')->{last_read_event_id}, $m[1]{id}, 'it stays');
$set->("200\ndata.unread_count = 0\ndata.advanced = true", 'read', 'bob',
       { event_id => $m[4]{id} });
cmp_ok($position->(), '>=', $start + 2,
   'a marker that moves takes a position, for the reader\'s other devices');
is(redis('ZCARD', key("r:$room:events")), scalar(events($room, 'ann')),
   'and leaves none in the room');

# any event may be read, not only messages
must('PUT', "$path/topic", 'ann', { topic => 'T' });

my $topic = newest($room, 'bob');

is($me->('bob')->{unread_count}, 0, 'a topic is no message');
$set->("200\ndata.unread_count = 0\ndata.advanced = true", 'read', 'bob',
       { event_id => $topic->{id} });

# unknown events
my $elsewhere = make(group => 'ann', name => 'Elsewhere');
my $foreign = must('POST', "/v1/rooms/$elsewhere/send", 'ann',
                   { content => {} });
my ($tail) = $foreign->{id} =~ /^evt-.{13}(.*)/;
my $forged = $m[0]{id};

substr $forged, -16, 16, $tail;

for my $none ('evt-x', 'x', '', $room, $foreign->{id}, $forged,
              uc $m[0]{id}, "$m[0]{id}0", 'evt-' . 'f' x 29,
              'evt-' . '0' x 29)
{
    $set->('404 SW_EVENT_NOT_FOUND', 'read', 'bob', { event_id => $none });
}

for my $bad ({}, { event_id => undef }, { event_id => 5 },
             { event_id => [$m[0]{id}] })
{
    $set->('400 SW_VALIDATION_FAILED event_id', 'read', 'bob', $bad);
}

# what was before the join is not unread
must('POST', "$path/send", 'ann', { content => {} }) for 1 .. 3;
must('POST', "$path/join", 'cy');
is($me->('cy')->{unread_count}, 0, 'nothing is unread at the join');
must('POST', "$path/send", 'ann', { content => {} }) for 1 .. 2;
is($me->('cy')->{unread_count}, 2, 'what came after is');

my @events = events($room, 'cy');

$set->("200\ndata.advanced = true\ndata.unread_count = 2", 'read', 'cy',
       { event_id => $m[0]{id} });
is($me->('cy')->{unread_count}, 2, 'a marker before the join moves nothing');
is($me->('cy')->{last_read_event_id}, $m[0]{id}, 'but is kept');
$set->("200\ndata.advanced = true\ndata.unread_count = 1", 'read', 'cy',
       { event_id => $events[-2]{id} });
$set->("200\ndata.advanced = false\ndata.unread_count = 1", 'read', 'cy',
       { event_id => $m[3]{id} });

# one's own messages: bob counts them as others do
is($me->('bob')->{unread_count}, 5, "bob's");

# many markers at one place don't count as messages
admit($room, 'ann', 'dan', 'eve');
must('POST', "$path/send", 'ann', { content => {} });

my $last = newest($room, 'ann');

must('PUT', "$path/read", $_, { event_id => $last->{id} })
    for qw(bob cy dan);
is($me->($_)->{unread_count}, 0, "$_ has read all") for qw(bob cy dan);
is($me->('eve')->{unread_count}, 1, 'eve has not');
must('POST', "$path/send", 'ann', { content => {} });
is($me->($_)->{unread_count}, 1, "$_ has one") for qw(bob cy dan);
is($me->('eve')->{unread_count}, 2, 'eve two');
$set->("200\ndata.unread_count = 1", 'read', 'eve',
       { event_id => $last->{id} });

# settings end with the membership
must('PUT', "$path/mute", 'eve', { muted => true });
must('PUT', "$path/notification-mode", 'eve', { mode => 'none' });
must('POST', "$path/leave", 'eve');
is_deeply(redis('HMGET', key("r:$room:own"), map { "$_ eve" }
                qw(mode mute read)), [undef, undef, undef],
          'nothing is left');
must('POST', "$path/invite", 'ann', { participant_id => 'eve' });
must('POST', "$path/join", 'eve');
is_deeply($me->('eve'), { membership => 'join', power_level => 0,
                          notification_mode => 'inherit',
                          muted_until => undef, last_read_event_id => undef,
                          unread_count => 0 }, 'a new start');
must('POST', "$path/send", 'ann', { content => {} });
is($me->('eve')->{unread_count}, 1, 'and counts on');

# who leaves takes their marker along
my $has = $me->('bob')->{unread_count};

must('PUT', "$path/read", 'eve', { event_id => newest($room, 'eve')->{id} });
must('POST', "$path/leave", 'eve');
is($me->('bob')->{unread_count}, $has, 'and it counts as no message');

# in one round, from many at once: the farthest marker stays
my @many = map { must('POST', "$path/send", 'ann', { content => {} }) }
           1 .. 12;

is(scalar(grep { $_->{status} == 200 }
          many(12, map { ['PUT', "$path/read", 'dan',
                          { event_id => $_->{id} }] } @many)),
   12, 'all are answered');
is_deeply([@{$me->('dan')}{qw(last_read_event_id unread_count)}],
          [$many[-1]{id}, 0], 'racing markers');
# what one writes oneself is never unread: the marker goes along

admit($room, 'ann', 'eve');
must('POST', "$path/send", 'ann', { content => {} }) for 1 .. 3;
is($me->('eve')->{unread_count}, 3, 'what others wrote');

my $mine = must('POST', "$path/send", 'eve', { content => {} });

is_deeply([@{$me->('eve')}{qw(last_read_event_id unread_count)}],
          [$mine->{id}, 0], 'is read by who writes');
is($me->('ann')->{unread_count}, 1, 'and not by others');
$set->("200\ndata.event_id = $mine->{id}\ndata.advanced = false\n"
       . 'data.unread_count = 0', 'read', 'eve', { event_id => $m[0]{id} });

# settings stay as they are, whatever is sent meanwhile
must('PUT', "$path/notification-mode", 'eve', { notification_mode => 'none' });
@many = many(10, map { ['POST', "$path/send", 'eve', { content => {} }],
                       ['PUT', "$path/mute", 'eve', { duration => 60 + $_ }] }
                 1 .. 30);
is(scalar(grep { $_->{status} == 201 } @many), 30,
   'many of one sender disturb neither each other');
is(scalar(grep { $_->{status} == 200 } @many), 30, 'nor settings');
is($me->('eve')->{notification_mode}, 'none', 'which are kept');

my ($farthest) = sort { $b->{stream_position} <=> $a->{stream_position} }
                 map { $_->{data}{stream_position} ? $_->{data} : () } @many;

is_deeply([@{$me->('eve')}{qw(last_read_event_id unread_count)}],
          [$farthest->{id}, 0], 'the farthest one is read');

# an edit, a reaction and a redaction move nothing
my $old = must('POST', "$path/send", 'ann', { content => {} });

must('POST', "$path/events/$farthest->{id}/edit", 'eve',
     { content => { x => 1 } });
must('POST', "$path/events/$old->{id}/reaction", 'eve', { emoji => 'x' });
is($me->('eve')->{unread_count}, 1, 'an edit reads nothing');
must('POST', "$path/leave", 'eve');
is_deeply(redis('HMGET', key("r:$room:own"), map { "$_ eve" }
                qw(mode mute read)), [undef, undef, undef],
          'who leaves leaves no marker');

# nobody's id is somebody else's field
known('~bob', '~~bob');
admit($room, 'ann', '~bob');
must('PUT', "$path/read", 'bob', { event_id => $old->{id} });
must('PUT', "$path/notification-mode", '~bob', { mode => 'none' });
must('PUT', "$path/mute", '~bob', { muted => true });
is($me->('bob')->{last_read_event_id}, $old->{id}, 'the marker of bob stays');
is_deeply([@{$me->('~bob')}{qw(notification_mode last_read_event_id)}],
          ['none', undef], 'and ~bob has a mode of their own');

verify_room($room);
stop_nginx();

done_testing();
