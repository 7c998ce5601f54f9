# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Unread counts, compared with a model: messages, edits, redactions, read
# markers, and members who leave and come back, at random, by three workers; and
# then many at once.

use strict;
use warnings;

use JSON::PP ();
use List::Util qw(max);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Roomsctl;

my $steps = $ENV{TEST_NGINX_USE_VALGRIND} ? 60 : 600;

seeded(1);

my @people = qw(ann bob cat dan);
my %rooms;

start('', workers => 3);
known(@people);

$rooms{make(group => 'ann', name => 'Talk')} = 'group';
$rooms{make(public => 'ann', name => 'Open')} = 'public';
$rooms{make(incognito => 'ann')} = 'incognito';
$rooms{make(dm => 'ann', with => 'bob')} = 'dm';

# Of each room: events in order, {id, place, message, gone}; of each member:
# the place from which all is unread.
my (%said, %from);

for my $room (keys %rooms) {
    admit($room, 'ann', 'bob', 'cat') if $rooms{$room} ne 'dm';
    $said{$room} = [];
    $from{$room}{$_} = 0 for $rooms{$room} eq 'dm' ? qw(ann bob)
                                                   : qw(ann bob cat);
}

sub one_of { return $_[rand @_] }

sub unread {
    my ($room, $who) = @_;

    return scalar grep { $_->{message} && !$_->{gone}
                         && $_->{place} > $from{$room}{$who} }
                  @{$said{$room}};
}

sub said {
    my ($room, $event, $message) = @_;

    push @{$said{$room}}, { id => $event->{id}, who => $event->{sender_id},
                            place => $event->{stream_position},
                            message => $message };

    return $event;
}

my %do = (
    send => sub {
        my ($room, $who) = @_;
        my $e = said($room, must('POST', "/v1/rooms/$room/send", $who,
                                 { content => { body => 'x' } }), 1);

        $from{$room}{$who} = $e->{stream_position};
    },

    edit => sub {
        my ($room, $who) = @_;
        my ($m) = grep { $_->{message} && !$_->{gone} && $_->{who} eq $who }
                  reverse @{$said{$room}} or return;

        said($room, must('POST', "/v1/rooms/$room/events/$m->{id}/edit", $who,
                         { content => { body => 'y' } }), 0);
    },

    redact => sub {
        my ($room, $who) = @_;
        my @own = grep { $_->{message} && !$_->{gone} && $_->{who} eq $who }
                  @{$said{$room}} or return;
        my $m = one_of(@own);

        must('POST', "/v1/rooms/$room/events/$m->{id}/redact", $who);
        $m->{gone} = 1;
    },

    react => sub {
        my ($room, $who) = @_;
        my $m = one_of(grep { $_->{message} && !$_->{gone} } @{$said{$room}})
            // return;

        call('POST', "/v1/rooms/$room/events/$m->{id}/reaction", $who,
             { emoji => '+' });
    },

    # to any event, a redacted one or an edit among them
    read => sub {
        my ($room, $who) = @_;
        my $e = one_of(@{$said{$room}}) // return;
        my $to = max($from{$room}{$who}, $e->{place});
        my $got = must('PUT', "/v1/rooms/$room/read", $who,
                       { event_id => $e->{id} });

        $from{$room}{$who} = $to;
        is($got->{unread_count}, unread($room, $who), 'the marker says it')
            if $got->{unread_count} != unread($room, $who);
    },

    back => sub {
        my ($room, $who) = @_;

        return if $rooms{$room} eq 'dm' || $who eq 'ann';

        must('POST', "/v1/rooms/$room/leave", $who);
        admit($room, 'ann', $who);
        $from{$room}{$who} = must('GET', "/v1/rooms/$room", $who)
                             ->{last_event_position};
    },
);

# One test: what all views of all rooms say.
sub agree {
    my ($name) = @_;
    my @bad;

    for my $room (sort keys %rooms) {
        for my $who (sort keys %{$from{$room}}) {
            my $want = unread($room, $who);
            my %got = (
                room => must('GET', "/v1/rooms/$room", $who)
                        ->{me}{unread_count},
                state => must('GET', "/v1/rooms/$room/state", $who)
                         ->{unread_count},
                list => (map { $_->{me}{unread_count} }
                         grep { $_->{id} eq $room }
                         @{must('GET', '/v1/directory/rooms', $who)})[0],
                $rooms{$room} eq 'dm'
                ? (dm => must('POST', '/v1/rooms/dm', $who,
                              { participant_id => $who eq 'ann' ? 'bob'
                                                                : 'ann' })
                         ->{me}{unread_count}) : (),
            );

            push @bad, map { "$rooms{$room} of $who: $_ says $got{$_}, not "
                             . $want } grep { $got{$_} != $want } keys %got;
        }
    }

    ok(!@bad, $name) || diag(join "\n", @bad);
}

my @kinds = ((('send') x 6), (('read') x 3), (('redact') x 3), qw(edit react back));

for my $step (1 .. $steps) {
    my $room = one_of(sort keys %rooms);

    $do{one_of(@kinds)}->($room, one_of(sort keys %{$from{$room}}));
    agree("after $step steps") if $step % 40 == 0;
}

# who hasn't joined has nothing to read
my ($open) = grep { $rooms{$_} eq 'public' } keys %rooms;

must('POST', "/v1/rooms/$open/invite", 'ann', { participant_id => 'dan' });
is(must('GET', "/v1/rooms/$open", 'dan')->{me}{unread_count}, 0,
   'an invite has nothing to read');
must('POST', "/v1/rooms/$open/join", 'dan');
$from{$open}{dan} = must('GET', "/v1/rooms/$open", 'dan')
                    ->{last_event_position};

# many at once: messages, and then redactions of them, from the newest
for my $round (1 .. 3) {
    my @sent = many(16, map { ['POST', "/v1/rooms/$open/send",
                               one_of(qw(ann bob cat)),
                               { content => { body => "m$_" } }] } 1 .. 60);

    is(scalar(grep { $_->{status} == 201 } @sent), 60, 'all are sent');

    for my $e (sort { $a->{stream_position} <=> $b->{stream_position} }
               map { $_->{data} } @sent)
    {
        said($open, $e, 1);
        $from{$open}{$e->{sender_id}} = $e->{stream_position};
    }

    agree('sent at once');

    my @gone = grep { rand() < 0.7 } reverse @{$said{$open}}[-60 .. -1];
    my @done = many(16, map { ['POST', "/v1/rooms/$open/events/$_->{id}/redact",
                               $_->{who}] } @gone);

    is(scalar(grep { $_->{status} != 200 } @done), 0, 'all are redacted')
        || diag(map { $_->{body} } grep { $_->{status} != 200 } @done);
    $_->{gone} = 1 for @gone;
    agree('redacted at once');
}

verify_room($_, "$rooms{$_} agrees with itself") for sort keys %rooms;
is(roomsctl('verify', tenant()), 'tenant ' . tenant() . ": nothing differs\n",
   'and so does the tenant');

# what another program, or a fault, has left there
tenant('odd');
known('dan');

my $odd = make(public => 'ann', name => 'Odd');

must('POST', "/v1/rooms/$odd/join", 'dan');

my $own = key("r:$odd:own");
my $digits = '0' x 29;

redis('HSET', key("r:$odd"), 'messages', '-9223372036854775808');
is(must('GET', "/v1/rooms/$odd", 'dan')->{me}{unread_count}, 0,
   'a number below zero');
redis('HSET', key("r:$odd"), 'messages', 9223372036854775807);
redis('HSET', $own, 'read dan', "1 evt-$digits 9223372036854775807");
is(must('GET', "/v1/rooms/$odd", 'dan')->{me}{unread_count}, 0,
   'the largest ones');

for my $bad ('x', '', '-1', '1e3', '9' x 21) {
    redis('HSET', key("r:$odd"), 'messages', $bad);
    is(call('POST', "/v1/rooms/$odd/send", 'ann', { content => {} })
       ->{status}, 201, "messages are \"$bad\": counted from zero");
    is(redis('HGET', key("r:$odd"), 'messages'), 1, 'and it is one again');
}

for my $bad ('x', '', '-1', '9' x 21, '9999999999999x') {
    my $e = must('POST', "/v1/rooms/$odd/send", 'ann', { content => {} });

    redis('HSET', key("r:$odd"), 'redacted', $bad);
    is(call('POST', "/v1/rooms/$odd/events/$e->{id}/redact", 'ann')
       ->{status}, 200, "the last one redacted is \"$bad\": one more is");
}

for my $bad ('', '0', '0 -', '0 x 1', "1 evt-$digits x", "1 evt-$digits -1")
{
    redis('HSET', $own, 'read dan', $bad);
    is(call('GET', "/v1/rooms/$odd", 'dan')->{status}, 500,
       "the marker \"$bad\" is malformed");
}

# a room from before messages were counted: what is new is counted
tenant('old');
known('ann', 'bob');

my $old = make(group => 'ann', name => 'Old');
my ($first, $second) = map { must('POST', "/v1/rooms/$old/send", 'ann',
                                  { content => {} })->{id} } 1 .. 2;

admit($old, 'ann', 'bob');
must('PUT', "/v1/rooms/$old/read", 'bob', { event_id => $second });

my @rows = @{redis('ZRANGE', key("r:$old:events"), 0, -1)};

redis('ZREM', key("r:$old:events"), @rows);
redis('ZADD', key("r:$old:events"), event_place("evt-$_"), s/ n\d+//r)
    for @rows;
redis('HDEL', key("r:$old"), 'messages');

for my $who ('ann', 'bob') {
    redis('HSET', key("r:$old:own"), "read $who",
          "@{[event_place($second)]} $second");
    redis('HSET', key("r:$old:members"), $who, join ' ',
          (split ' ', redis('HGET', key("r:$old:members"), $who))[0 .. 3]);
    is(must('GET', "/v1/rooms/$old", $who)->{me}{unread_count}, 0,
       "an old room: $who has read it");
}

must('POST', "/v1/rooms/$old/send", 'ann', { content => {} }) for 1 .. 2;
is(must('GET', "/v1/rooms/$old", 'bob')->{me}{unread_count}, 2,
   'what is new is counted');
must('POST', "/v1/rooms/$old/events/$first/redact", 'ann');
is(must('GET', "/v1/rooms/$old", 'bob')->{me}{unread_count}, 2,
   'what is old is redacted');
is(roomsctl('verify', 'old'), "tenant old: nothing differs\n",
   'and nothing differs');
tenant('odd');

# between the two rounds of a request messages may come, and be redacted
my $after = 5 + redis('HGET', key("r:$odd"), 'position');

redis('HDEL', $own, 'read dan');
redis('HSET', key("r:$odd"), 'messages', 3, 'redacted', $after);
redis('DEL', key("r:$odd:redacted"));
redis('ZADD', key("r:$odd:redacted"), $after, sprintf '%013x', $after);
is(must('GET', "/v1/rooms/$odd", 'dan')->{me}{unread_count}, 3,
   'what is redacted behind the room that was read');

done_testing();
