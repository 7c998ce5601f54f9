# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# One's own settings, where time matters: a mute that ends, an hour of it,
# markers and settings from many devices at once.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Relay;

start();
known(qw(ann bob dan eve));

my $room = make(group => 'ann');
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob', 'dan');

my $set = sub {
    my ($want, $end, $who, $body) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'PUT', "$path/$end", $who, $body);
};
my $me = sub { call('GET', $path, $_[0])->{data}{me} };
my $position = sub { redis('GET', key('position')) };
my @m = map { must('POST', "$path/send", 'ann', { content => { n => $_ } }) }
        1 .. 2;
my $start = $position->();

must('PUT', "$path/read", 'bob', { event_id => $_->{id} }) for @m;
cmp_ok($position->(), '>=', $start + 2,
   'a marker that moves takes a position, for the reader\'s other devices');

# an hour
my $hour = sub {
    my @t = gmtime $_[0] + 3600;

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d', $t[5] + 1900, $t[4] + 1,
                   @t[3, 2, 1, 0];
};
my $before = time();
my $res = $set->("200\ndata.muted_until ~ Z\$", 'mute', 'bob',
                 { duration => 3600 });

cmp_ok($res->{data}{muted_until}, 'ge', $hour->($before), 'an hour from now');
cmp_ok($res->{data}{muted_until}, 'lt', $hour->(time() + 1), 'and no more');

# a mute that ends
must('PUT', "$path/notification-mode", 'bob', { mode => 'all' });
$set->("200\ndata.muted_until ~ Z\$", 'mute', 'bob', { duration => 1 });
ok(wait_for(20, sub { !defined $me->('bob')->{muted_until} }),
   'it expires by itself');
is(member($room, 'bob')->{muted_until}, undef, 'in the row too');
is($me->('bob')->{notification_mode}, 'all', 'the mode is another thing');

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
known('!bob', '!!bob');
admit($room, 'ann', '!bob');
must('PUT', "$path/read", 'bob', { event_id => $old->{id} });
must('PUT', "$path/notification-mode", '!bob', { mode => 'none' });
must('PUT', "$path/mute", '!bob', { muted => true });
is($me->('bob')->{last_read_event_id}, $old->{id}, 'the marker of bob stays');
is_deeply([@{$me->('!bob')}{qw(notification_mode last_read_event_id)}],
          ['none', undef], 'and !bob has a mode of their own');

verify_room($room);
stop_nginx();

# Messages that are sent and redacted between the reading of a room and of its
# redactions: no count is below zero
my $port = relay();

run_nginx(<<"END");
    rooms on;
    rooms_auth mock;
    rooms_server_name rooms.test;
    rooms_redis redis://127.0.0.1:$port/0;
END

my $quiet = make(group => 'ann');

admit($quiet, 'ann', 'bob');

my ($first, $second) = map { must('POST', "/v1/rooms/$quiet/send", 'ann',
                                  { content => {} }) } 1, 2;
my $redacted = key("r:$quiet:redacted");

rule(qr/^ZCOUNT $redacted /, "first ZADD $redacted 16000000000000 a "
     . '16000000000001 b', 1);
is(must('PUT', "/v1/rooms/$quiet/read", 'bob', { event_id => $first->{id} })
   ->{unread_count}, 0, 'nothing is unread');
is(met(), 1, 'in between');
stop_relay();

done_testing();
