# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# GET /v1/sync as a stream of events: what it says, where it begins, who gets
# what, and how it ends.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(patience wait_for);
use RoomsTest::Stream;

start(<<'END');
        rooms_stream_heartbeat 1s;
        rooms_stream_connections 4;
        gzip on;
        gzip_types *;
        gzip_min_length 1;
        location = /status { rooms_status; }
END

known(qw(ann bob cy dan));

sub stream {
    my ($who, $args, %headers) = @_;

    return RoomsTest::Stream->new("/v1/sync$args", token($who), %headers);
}

sub say_it {
    my ($room, $who, $text) = @_;

    return must('POST', "/v1/rooms/$room/send", $who,
                { content => { body => $text } });
}

sub types { return join ' ', map { $_->{data}{event_type} =~ /([a-z_]+)$/ } @_ }
sub bodies { return join ' ', map { $_->{data}{content}{body} // '-' } @_ }
sub messages { return grep { !defined $_->{event} } @_ }
sub now_at { return redis('GET', key('position')) // 0 }

my $room = make(group => 'ann', name => 'One');

admit($room, 'ann', 'bob');
say_it($room, 'ann', "m$_") for 1 .. 5;

# the header, and the first events
{
    my $st = stream('bob', '?since=0', 'Accept-Encoding' => 'gzip');
    my @got = $st->until('caught_up');

    is($st->{status}, 200, 'a stream');
    is($st->{headers}{'content-type'}, 'text/event-stream', 'its type');
    is($st->{headers}{'cache-control'}, 'no-store, no-transform',
       'is kept by nobody');
    is($st->{headers}{'x-accel-buffering'}, 'no', 'and held back by nobody');
    is($st->{headers}{'content-encoding'}, undef, 'it is not compressed');
    is($st->{headers}{'content-length'}, undef, 'it has no length');
    like($st->{headers}{'x-request-id'}, qr/\A[0-9a-f]{32}\z/, 'it has an id');

    is($got[0]{retry}, 2000, 'first: when to come back');
    is($got[1]{event}, 'hello', 'then hello');

    my $hello = $got[1]{data};

    is(join(' ', sort keys %$hello),
       'epoch expires_at heartbeat position server_name session_id tenant_id',
       'with its members');
    is($hello->{server_name}, host(), 'server_name');
    is($hello->{tenant_id}, tenant(), 'tenant_id');
    is($hello->{heartbeat}, 1, 'heartbeat');
    is($hello->{position}, 0, 'position');
    is($hello->{epoch}, redis('HGET', key('tenant'), 'epoch')
                        // $hello->{epoch}, 'epoch');
    like($hello->{session_id}, qr/\A[0-9a-f]{32}\z/, 'session_id');
    like($hello->{expires_at}, qr/\A\d{4}-\d\d-\d\dT[\d:.]+Z\z/, 'expires_at');

    my @m = messages(@got);
    my $page = must('GET', '/v1/sync?since=0&timeout=0', 'bob');

    is_deeply([map { $_->{data} } @m], $page->{events},
              'events are the elements of a poll');
    is(join(' ', map { $_->{id} } @m),
       join(' ', map { $_->{data}{stream_position} } @m),
       'an id is a position');
    is($got[-1]{event}, 'caught_up', 'then the backlog is through');
    is($got[-1]{data}{position}, $got[-1]{id}, 'which has a position');
    is($got[-1]{id}, now_at(), 'that of the store');

    # live
    my $sent = say_it($room, 'ann', 'live');
    my $e = $st->next('message');

    is($e->{data}{content}{body}, 'live', 'a message comes at once');
    is($e->{id}, $sent->{stream_position}, 'with its position');
    is($e->{event}, undef, 'onmessage sees it');

    # heartbeats
    is($st->next(':', 5)->{event}, ':', 'a heartbeat');

    my $other = make(group => 'cy', name => 'Other');
    my $c = $st->next('caught_up', 12);

    cmp_ok($c->{id}, '>', $e->{id},
           'a heartbeat says how far others have come');
    is($c->{id}, $c->{data}{position}, 'and where');

    say_it($room, 'ann', 'after');
    is($st->next('message')->{data}{content}{body}, 'after',
       'and nothing is skipped by that');
    $st->close;
}

# where it begins
{
    my $at = now_at();

    say_it($room, 'ann', "n$_") for 1 .. 3;

    my $st = stream('bob', "?since=$at");
    my @got = $st->until('caught_up');

    is(bodies(messages(@got)), 'n1 n2 n3', 'since');
    is($got[1]{data}{position}, $at, 'and hello says so');

    my ($one) = messages(@got);

    $st = stream('bob', '?since=0', 'Last-Event-ID' => $one->{id});
    is(bodies(messages($st->until('caught_up'))), 'n2 n3',
       'Last-Event-ID goes before since');

    $st = stream('bob', '?since=now');
    @got = $st->until('caught_up');
    is(scalar(messages(@got)), 0, 'now: nothing that was');
    is($got[1]{data}{position}, now_at(), 'it begins behind it');
    say_it($room, 'ann', 'next');
    is($st->next('message')->{data}{content}{body}, 'next',
       'and what comes comes');

    $st = stream('bob', '?since=now&timeout=0');
    ok($st->next('caught_up'), 'timeout is ignored');
    say_it($room, 'ann', 'no timeout');
    is($st->next('message')->{data}{content}{body}, 'no timeout',
       '... so it goes on');
    ok(stream('bob', '?since=now&timeout=never')->next('hello'),
       '... whatever it is');

    $st = stream('bob', '?since=0&limit=2');
    is(scalar(messages($st->until('caught_up'))),
       scalar(@{must('GET', '/v1/sync?since=0&timeout=0', 'bob')->{events}}),
       'page by page');

    is(stream('bob', '', 'Last-Event-ID' => '9' x $_)->next('reset')->{data}
       {reason}, 'ahead', "an id of $_ digits: ahead") for 16, 40;
    is(stream('bob', '', 'Last-Event-ID' => '0' x 40 . now_at())
       ->next('caught_up')->{id}, now_at(), 'zeros before it');

    expect("400 SW_VALIDATION_FAILED Last-Event-ID", 'GET', '/v1/sync', 'bob',
           undef, Accept => 'text/event-stream', 'Last-Event-ID' => 'x');
    expect("400 SW_VALIDATION_FAILED since", 'GET', '/v1/sync?since=x', 'bob',
           undef, Accept => 'text/event-stream');
    expect("401 SW_AUTH_INVALID_TOKEN", 'GET', '/v1/sync', undef,
           undef, Accept => 'text/event-stream');
}

# what isn't a stream
{
    my $res = call('GET', '/v1/sync?timeout=0&since=0', 'bob', undef,
                   Accept => 'application/json, text/event-stream;q=0');

    is($res->{headers}{'content-type'}, 'application/json',
       'q=0: it is not wanted');

    $res = call('HEAD', '/v1/sync', 'bob', undef,
                Accept => 'text/event-stream');
    is($res->{status}, 200, 'HEAD');
    is($res->{headers}{'content-type'}, 'text/event-stream',
       'says what there would be');
}

# one commit, many streams: one reading
{
    my @who = map { "w$_" } 1 .. 40;

    known(@who);

    my $hall = make(public => 'ann', name => 'Hall');

    must('POST', "/v1/rooms/$hall/join", $_) for @who;

    my @st = map { stream($_, '?since=now') } @who;

    $_->next('caught_up') for @st;

    my $count = sub {
        my %n = (zrangebyscore => 0, hmget => 0, hget => 0);
        my $stats = redis('INFO', 'commandstats');

        $n{$1} = $2 while $stats =~ /^cmdstat_(zrangebyscore|hmget|hget):
                                      calls=(\d+)/gmx;

        return \%n;
    };
    my $before = $count->();
    my $sent = say_it($hall, 'ann', 'all');
    my @got = map { $_->next('message') } @st;
    my $after = $count->();

    is(scalar(grep { $_ && $_->{data}{id} eq $sent->{id} } @got), 40,
       'a message to 40 streams');
    cmp_ok($after->{zrangebyscore} - $before->{zrangebyscore}, '<=', 5,
           'its room is read once for all');
    cmp_ok($after->{hget} + $after->{hmget} - $before->{hget}
           - $before->{hmget}, '<=', 15, 'and so are their rows');

    my %raw = map { $_->{raw} => 1 } @got;

    is(scalar keys %raw, 1, 'all get the same bytes');

    # who was removed meanwhile isn't among them
    must('POST', "/v1/rooms/$hall/kick", 'ann', { participant_id => 'w7' });
    must('POST', "/v1/rooms/$hall/leave", 'w9');
    say_it($hall, 'ann', 'fewer');

    my @last = map { my $st = $_; my $e;

                     1 while $e = $st->next('message', 2),
                             $e && !$e->{data}{content}{body};
                     $e } @st[0, 6, 8, 39];

    is_deeply([map { $_ ? $_->{data}{content}{body} : undef } @last],
              ['fewer', undef, undef, 'fewer'],
              'a removed member gets nothing more');
    $_->close for @st;
}

# bursts: each gets all, in order, once, and joins and leaves between them
{
    my $hall = make(public => 'ann', name => 'Burst');
    my @who = map { "w$_" } 1 .. 12;

    must('POST', "/v1/rooms/$hall/join", $_) for @who;

    my @st = map { stream($_, '?since=now') } @who, @who;

    $_->next('caught_up') for @st;
    many(8, map { ['POST', "/v1/rooms/$hall/send", 'ann',
                   { content => { body => "b$_" } }] } 1 .. 150);

    my %bad;

    for my $st (@st) {
        my @ids;

        while (@ids < 150) {
            my $e = $st->next('message', 10) or last;

            push @ids, $e->{id};
        }

        $bad{lost}++ if @ids != 150;
        $bad{order}++ if grep { $ids[$_] <= $ids[$_ - 1] } 1 .. $#ids;
    }

    is_deeply(\%bad, {}, 'a burst: all of it, in order, once, to each');
}

done_testing();
