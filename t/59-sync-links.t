# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Who waits is told of the rooms that they are in then, and of no other: while
# lists of rooms change, are kept, shared by several who wait, and dropped.
# After each change, those whom the worker looks for a room's event are those
# who have the room in the store, and each gets what they would have read.

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use List::Util qw(shuffle);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(:DEFAULT answer);
use RoomsTest::Process qw(wait_for);
use RoomsTest::Stream;
use RoomsTest::WebSocket;

my $rounds = $ENV{TEST_NGINX_USE_VALGRIND} ? 60 : 400;
my $n = 60;

seeded();

my $slow = free_port();

start("listen 127.0.0.1:$slow sndbuf=16k; location = /status { rooms_status; }",
      workers => 1, master => 1, connections => 512);
redis('CONFIG', 'SET', 'slowlog-log-slower-than', 0);
redis('CONFIG', 'SET', 'slowlog-max-len', 1000);

# How many rooms they are in at first: of few, no list is kept.
my %rooms = (ann => 50, bob => 45, cy => 34, dan => 8, eve => 40);
my @people = sort keys %rooms;

known('boss', @people, map { "x$_" } 1 .. $rounds);

my @rooms = map { make(public => 'boss', name => "Room $_") } 1 .. $n;
my $all = make(public => 'boss', name => 'All');

for my $who (@people) {
    many(8, map { ['POST', "/v1/rooms/$_/join", $who] }
            $all, (shuffle @rooms)[0 .. $rooms{$who} - 1]);
}

sub now_at { return redis('GET', key('position')) }

sub has {
    my ($who, $room) = @_;

    return defined redis('ZSCORE', key("p:$who:rooms"), $room);
}

sub joined {
    my ($room) = @_;
    my %rows = who_is($room);

    return map { $_ => 1 } grep { $rows{$_}[0] eq 'join' } keys %rows;
}

# Those who wait.  A poll is made again once it is answered.
my %open = (
    poll => sub {
        my ($it) = @_;

        $it->{sock} = http_begin('GET', "/v1/sync?since=$it->{since}"
                                 . '&timeout=60000', token($it->{who}));
    },
    sse => sub {
        my ($it) = @_;

        $it->{stream} = RoomsTest::Stream->new("/v1/sync?since=$it->{since}",
                                               token($it->{who}));
        $it->{stream}->next('caught_up') // die 'no stream';
    },
    ws => sub {
        my ($it) = @_;

        $it->{stream} = RoomsTest::WebSocket->new('/v1/stream?format=event'
                                                  . "&since=$it->{since}",
                                                  token($it->{who}));
        $it->{stream}->next('caught_up') // die 'no stream';
    },
);
my @waiting = map { my ($who, $how) = @$_;
                    { who => $who, how => $how, since => now_at() } }
              ['ann', 'poll'], ['ann', 'poll'], ['ann', 'sse'],
              ['bob', 'poll'], ['cy', 'poll'], ['cy', 'ws'], ['dan', 'poll'],
              ['dan', 'sse'], ['eve', 'sse'];

sub waits {
    my $polls = grep { $_->{how} eq 'poll' } @waiting;

    return wait_for(20, sub {
        my $status = http_req('GET', '/status?format=json')->[2];

        return JSON::PP->new->decode($status)->{polls} == $polls;
    });
}

# What somebody would read who doesn't wait.
sub read_from {
    my ($who, $since) = @_;

    return ids(@{must('GET', "/v1/sync?timeout=0&since=$since", $who)
                 ->{events}});
}

# The next events of one who waits, up to this one; they wait again.
sub next_of {
    my ($it, $last) = @_;
    my @events;

    if ($it->{how} eq 'poll') {
        my $res = answer(http_end($it->{sock}));

        return ("$res->{status} $res->{body}") if $res->{status} != 200;

        @events = @{$res->{data}{events}};
        $it->{since} = $res->{data}{next_cursor};
        $open{poll}->($it);

        return ids(@events);
    }

    while (!@events || $events[-1]{id} ne $last) {
        my $e = $it->{stream}->next($it->{how} eq 'sse' ? 'message' : undef);

        last if !$e;

        $e = $e->{data} if $it->{how} eq 'sse';

        if (defined $e->{event_type}) {
            push @events, $e;
            $it->{since} = $e->{stream_position};
        }
    }

    return ids(@events);
}

# Whether something comes that nobody has sent for them.
sub noise {
    my ($it) = @_;

    return IO::Select->new($it->{sock})->can_read(0) if $it->{how} eq 'poll';

    my $st = $it->{stream};

    # heartbeats say nothing; a WebSocket's are pings, which are answered
    if ($it->{how} eq 'ws') {
        while (my $said = $st->next(undef, 0.0001)) {
            return 1 if defined $said->{event_type};
        }

        return 0;
    }

    $st->fill(0.0001);

    return grep { defined $_->{data} && ($_->{event} // '') ne 'caught_up' }
                @{$st->{events}};
}

my @bad;

# Something has happened.  These must learn of it, as they would read it; the
# others go on waiting.
sub learn {
    my ($what, @who) = @_;
    my %want = map { $_ => 1 } @who;

    for my $it (grep { $want{$_->{who}} } @waiting) {
        # whose look is the first one after the change makes a difference
        my $since = $it->{since};
        my @early = $it->{how} eq 'poll' && rand > 0.5 ? next_of($it) : ();
        my @must = read_from($it->{who}, $since);
        my @got = @early ? @early : next_of($it, $must[-1]);

        # a stream has gone on without anything to say
        shift @must while $it->{how} ne 'poll' && @must > @got;

        push @bad, "$what: $it->{who} ($it->{how}) got @got, not @must"
            if "@got" ne "@must";
    }

    waits() or push @bad, "$what: polls don't wait";

    my @noise = map { "$_->{who} ($_->{how})" } grep { noise($_) } @waiting;

    push @bad, "$what: @noise got something" if @noise;
}

# For whom the worker has looked, when it read the room's event.
sub looked_for {
    my ($room) = @_;

    return map { my ($name, $key, @who) = @{$_->[3]};
                 grep { $rooms{$_} } @who }
           grep { $_->[3][0] eq 'HMGET'
                  && $_->[3][1] eq key("r:$room:members") }
           @{redis('SLOWLOG', 'GET', 1000)};
}

sub say_in {
    my ($room, $text) = @_;

    return must('POST', "/v1/rooms/$room/send", 'boss',
                { content => { body => $text // 'x' } });
}

sub message {
    my ($what, $room) = @_;
    my %joined = joined($room);
    my @told = sort map { $_->{who} } grep { has($_->{who}, $room) } @waiting;

    redis('SLOWLOG', 'RESET');
    say_in($room);
    learn($what, grep { $joined{$_} } @people);

    if (!grep { $joined{$_} } @people) {
        # what comes later is told later
        say_in($all);
        learn("$what, to all", @people);
    }

    my @got = sort(looked_for($room));

    push @bad, "$what: looked for @got, not @told" if "@got" ne "@told";
}

# A change of who is in a room: its members learn of it, and those concerned.
sub change {
    my ($what, $room, $whom, @call) = @_;
    my $since = now_at();
    my %before = joined($room);

    must(@call);

    my %joined = joined($room);

    return if now_at() == $since;

    learn($what, grep { $joined{$_} || $_ eq $whom } @people);
}

my (%done, @own);
my $x = 0;
my @does = (
    (['message', sub { message($_[0], (@rooms, @own)[rand @rooms + @own]) }])
        x 5,
    ['join or leave', sub {
        my ($what, $room, $who) = @_;
        my %joined = joined($room);

        change($what, $room, $who, 'POST', "/v1/rooms/$room/"
               . ($joined{$who} ? 'leave' : 'join'), $who);
    }],
    ['kick or invite', sub {
        my ($what, $room, $who) = @_;

        change($what, $room, $who, 'POST', "/v1/rooms/$room/"
               . (has($who, $room) ? 'kick' : 'invite'), 'boss',
               { participant_id => $who });
    }],
    ['ban and unban', sub {
        my ($what, $room, $who) = @_;

        change($what, $room, $who, 'POST', "/v1/rooms/$room/$_", 'boss',
               { participant_id => $who }) for 'ban', 'unban';
    }],
    ['new DM', sub {
        my ($what, $room, $who) = @_;
        my $dm = make(dm => 'x' . ++$x, with => $who);

        learn($what, $who);
        must('POST', "/v1/rooms/$dm/send", "x$x", { content => {} });
        learn("$what, a message", $who);
    }],
    ['new room', sub {
        my ($what, $room, $who) = @_;

        push @own, make(public => $who, name => 'New');
        learn($what, $who);
        must('POST', "/v1/rooms/$own[-1]/join", 'boss');
        learn("$what, a member", $who);
    }],
    ['somebody who goes, and returns', sub {
        my ($what) = @_;
        my $it = $waiting[rand @waiting];

        close $it->{sock} if $it->{how} eq 'poll';
        $it->{stream}->close if $it->{how} eq 'sse';
        close $it->{stream}{sock} if $it->{how} eq 'ws';
        $open{$it->{how}}->($it);
        waits() or push @bad, "$what: not waiting";
    }],
);

# So many lists that all others have to go.
sub drop {
    for my $tenant ('huge', 'giant') {
        tenant($tenant);
        known(map { "h$_" } 1 .. 6);

        for my $who (map { "h$_" } 1 .. 6) {
            make(group => $who, name => 'Own');

            for my $i (0 .. 14) {
                redis('ZADD', key("p:$who:rooms"),
                      map { (0, sprintf 'room-%026d', 1000 * $i + $_) }
                      0 .. 999);
            }

            must('GET', '/v1/sync?timeout=1&since=now', $who);
        }
    }

    tenant('acme');
}

$open{$_->{how}}->($_) for @waiting;
ok(waits(), 'they wait');

for my $round (1 .. $rounds) {
    my ($name, $does) = @{$does[rand @does]};

    drop() if $round == int($rounds / 2);
    $done{$name}++;
    $does->("$round, $name", $rooms[rand @rooms], $people[rand @people]);
    last if @bad > 5;
}

diag(join ', ', map { "$_: $done{$_}" } sort keys %done);
is_deeply(\@bad, [], 'each has learned of their rooms, and nobody of others');

# A stream whose client takes nothing, while another one of the same
# participant learns of a new room, and the worker keeps the list.

{
    my $st = RoomsTest::Stream->new('/v1/sync?since=' . now_at(),
                                    token('ann'), -port => $slow,
                                    -rcvbuf => 4096);

    @bad = ();
    ok($st->next('caught_up'), 'a stream');

    for (1 .. 3) {
        say_in($all, 'x' x 60_000);
        learn('much text', @people);
    }

    my $room = make(public => 'boss', name => 'One more');

    must('POST', "/v1/rooms/$room/join", 'ann');
    learn('joined', 'ann');
    is_deeply(\@bad, [], 'all others follow');
    is(($st->next('message') // {})->{data}{content}{body}, 'x' x 60_000,
       'much text') for 1 .. 3;

    my $e;

    do { $e = $st->next('message')
    } while $e && ($e->{data}{content}{participant_id} // '') ne 'ann';

    is(($e // {})->{data}{room_id}, $room, 'joined');

    my $message = say_in($room);

    learn('in the new room', 'ann');
    is(($st->next('message') // {})->{data}{id}, $message->{id},
       'it listens in the new room');
    $st->close;
}

# Somebody whose list is kept, but who doesn't wait: of what is said there, no
# worker asks the store.

{
    known('fox');

    my @theirs = map { make(public => 'boss', name => "Fox $_") } 1 .. 40;
    my $least;

    many(8, map { ['POST', "/v1/rooms/$_/join", 'fox'] } @theirs);
    must('GET', '/v1/sync?timeout=1&since=now', 'fox') for 1 .. 2;
    @bad = ();

    # the least of some, since a sweep may come between
    for my $room (@theirs[0 .. 9]) {
        redis('SLOWLOG', 'RESET');
        say_in($room);
        say_in($all);
        learn('to all', @people);

        my $sweeps = grep { $_->[3][0] eq 'ZRANGEBYSCORE'
                            && $_->[3][1] eq key('active')
                            && $_->[3][-1] eq '1000' }
                     @{redis('SLOWLOG', 'GET', 1000)};

        $least = $sweeps if !defined $least || $sweeps < $least;
    }

    is($least, 1, 'only what is said to those who wait is looked for');
    is_deeply(\@bad, [], 'which they get');
}

# Somebody who is deactivated and erased, whose list of rooms is kept.

{
    my @their = grep { $_->{who} eq 'bob' } @waiting;
    my ($room) = grep { my %in = joined($_); $in{bob} && $in{eve} } @rooms;

    @waiting = grep { $_->{who} ne 'bob' } @waiting;
    must('POST', '/v1/admin/participants/bob/deactivate', 'root!', {});
    is(http_end($_->{sock})->[0], 403, 'a poll ends') for @their;
    ok(wait_for(30, sub { !has('bob', $room) }), 'the room is no longer theirs');
    must('POST', '/v1/admin/participants/bob/erase', 'root!', {});
    ok(wait_for(30, sub {
        must('GET', '/v1/admin/participants/bob/erasure', 'root!')->{state}
            eq 'done';
    }), 'erased');
    redis('SLOWLOG', 'RESET');

    my $message = say_in($room);
    my ($eve) = grep { $_->{who} eq 'eve' } @waiting;

    is((next_of($eve, $message->{id}))[-1], $message->{id},
       'the others get more');
    ok(!grep({ $_ eq 'bob' } looked_for($room)), 'bob is looked for no more');
}

# The worker goes, with all that it has kept.

ok(nginx_reload(), 'a reload');

for my $it (grep { $_->{how} eq 'poll' } @waiting) {
    is(http_end($it->{sock})->[0], 200, "a poll of $it->{who} ends");
}

for my $it (grep { $_->{how} eq 'sse' } @waiting) {
    is(($it->{stream}->next('end') // {})->{data}{code}, 'SW_STREAM_RELOAD',
       "a stream of $it->{who} ends");
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alert');

done_testing();
