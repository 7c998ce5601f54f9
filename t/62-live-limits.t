# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Streams and limits: limit_req in front of them, by who calls; and a WebSocket
# whose client doesn't read, which costs one page of memory.

use strict;
use warnings;

use Socket ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(slurp wait_for);
use RoomsTest::Stream;
use RoomsTest::WebSocket;

my $zone = "\$rooms_tenant\$rooms_participant\$uri zone=who:1m rate=1r/m;";

run_nginx(<<"END", workers => 1, http => "limit_req_zone $zone");
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_stream_connections 1000;
        rooms_cors_origin https://chat.example.com;
        location = /v1/sync { rooms on; limit_req zone=who; }
        location = /v1/stream { rooms on; limit_req zone=who burst=1 nodelay; }
        location = /status { rooms_status; }
END

sub ws {
    my ($who, $args, %headers) = @_;

    return RoomsTest::WebSocket->new("/v1/stream$args", token($who), %headers);
}

sub sse {
    my ($who, $args, %headers) = @_;

    return RoomsTest::Stream->new("/v1/sync$args", token($who), %headers);
}

known(qw(ann bob cy));

my $room = make(group => 'ann', name => 'One');

admit($room, 'ann', 'bob', 'cy');

sub say_it {
    my ($body, %more) = @_;

    return must('POST', "/v1/rooms/$room/send", 'ann',
                { content => { body => $body, %more } });
}


# limit_req counts who opens a stream, and not what goes through it

{
    my $st = sse('bob', '?since=now');

    ok($st->next('caught_up'), 'a stream behind limit_req');

    my $more = sse('bob', '?since=now', Origin => 'https://chat.example.com');

    $more->head;
    is($more->{status}, 429, 'one more at once is too many');
    like($more->{headers}{'content-type'}, qr{^application/json}, 'as JSON');
    ok($more->{headers}{'retry-after'}, 'that says when');
    is($more->{headers}{'access-control-allow-origin'},
       'https://chat.example.com', 'to a browser, too');

    my $other = sse('cy', '?since=now');

    ok($other->next('caught_up'), 'others have their own limit');

    say_it("s$_") for 1 .. 5;

    for my $each ($st, $other) {
        my @got = map { $each->next('message') } 1 .. 5;

        is(join(' ', map { $_->{data}{content}{body} } @got),
           's1 s2 s3 s4 s5', 'what goes through is not limited');
    }

    $_->close for $st, $more, $other;
}

{
    my @ws = map { ws('bob', '?since=now') } 1 .. 3;

    is(join(' ', map { $_->{status} } @ws), '101 101 429',
       'WebSockets: a burst of two');
    like($ws[2]{headers}{'content-type'}, qr{^application/json}, 'as JSON');
    ok($ws[2]{headers}{'retry-after'}, 'that says when');

    $ws[$_]->next('caught_up') for 0, 1;
    say_it('both');
    is(join(' ', map { $ws[$_]->next('swp.room.message')->{content}{body} }
                 0, 1), 'both both', 'both are told');
    $_->close for @ws;
}


# Who doesn't read costs one page, and gets everything in the end

{
    my ($pad, $last) = ('x' x 30000, 240);
    my $ws = ws('cy', '?since=now', -rcvbuf => 4096);
    my $kib = sub { slurp('/proc/' . nginx_pid() . '/status')
                    =~ /^VmRSS:\s+(\d+)/m; return $1 };

    ok($ws->next('caught_up'), 'a slow client');
    say_it("w$_", pad => $pad) for 1 .. 40;

    my $before = $kib->();

    say_it("w$_", pad => $pad) for 41 .. $last;

    SKIP: {
        skip('a sanitizer keeps what is freed', 1) if $ENV{TEST_ROOMS_REPORTS};
        cmp_ok($kib->() - $before, '<', 4096,
               'what it does not take is not kept');
    }

    setsockopt $ws->{sock}, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(),
               1 << 20;

    my @got;

    while (@got < $last) {
        my $e = $ws->next('swp.room.message') or last;

        push @got, $e->{content}{body};
    }

    is(join(' ', @got), join(' ', map { "w$_" } 1 .. $last),
       'it gets all of it, in order');
    $ws->close;
}

{
    my $ws = ws('ann', '?since=now', -rcvbuf => 4096);

    ok($ws->next('caught_up'), 'one that leaves while much waits');
    say_it("l$_", pad => 'x' x 30000) for 1 .. 100;
    $ws->close;
    ok(wait_for(20, sub {
        call('GET', '/status', 'ann')->{body}
            =~ /^rooms_streams\{transport="websocket"\} 0$/m
    }), 'is noticed');
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]|exited on signal/, 'no alarm');
is(stop_nginx(), 0, 'it ends in order');

done_testing();
