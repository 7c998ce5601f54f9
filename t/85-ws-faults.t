# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# WebSockets on bad days: a member who is kicked, a peer that vanishes in the
# middle of a frame, floods of fragments, a worker that is killed, a store that
# goes away; who comes back misses nothing.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(slurp wait_for);
use RoomsTest::WebSocket;

run_nginx(<<"END", workers => 2);
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_redis_timeout 700ms;
        rooms_stream_connections 1000;
        location = /status { rooms_status; }
END

sub ws { return RoomsTest::WebSocket->new("/v1/stream$_[1]", token($_[0])) }
sub B { return RoomsTest::WebSocket::bytes(@_) }

sub gauge {
    return call('GET', '/status', 'ann')->{body}
           =~ /^rooms_streams\{transport="websocket"\} (\d+)/m ? $1 : -1;
}

sub workers {
    my $pid = nginx_pid();

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}

ok(wait_for(60, sub { call('POST', '/v1/auth/register', 'ann')->{status}
                      == 200 }), 'a store');
known(qw(ann bob cy));

my $room = make(group => 'ann', name => 'One');

admit($room, 'ann', 'bob', 'cy');

# Until it is said: another worker may be without the store still.
sub says {
    my ($text) = @_;

    return wait_for(60, sub {
        call('POST', "/v1/rooms/$room/send", 'ann',
             { content => { body => $text } },
             'Idempotency-Key' => $text =~ s/ /-/gr)->{status} =~ /\A20[01]\z/;
    });
}

# who is kicked hears that, and nothing more
{
    my ($bob, $cy) = map { ws($_, '?since=now') } qw(bob cy);

    $_->next('caught_up') for $bob, $cy;
    must('POST', "/v1/rooms/$room/kick", 'ann', { participant_id => 'cy' });
    says('secret');
    is($bob->next('swp.room.message')->{content}{body}, 'secret',
       'who is in hears what is said');
    is($cy->next('swp.room.member')->{membership}, 'leave',
       'who was kicked hears that');
    $cy->text('{"type":"ping"}');
    $cy->next('pong');
    is(scalar(grep { ($_->{type} // '') eq 'swp.room.message' }
              @{$cy->{said}}), 0, 'and nothing more');
    $_->close for $bob, $cy;
}

# peers that vanish, wherever they are in a frame
{
    my $frame = B(data => '{"type":"ping"}' . ' ' x 300);

    for my $at (1, 2, 3, 4, 6, 8, 20, length($frame) - 1) {
        my $ws = ws('bob', '?since=now');

        $ws->next('caught_up');
        $ws->raw(substr $frame, 0, $at);
        $ws->close;
    }

    my $ws = ws('bob', '?since=now');

    $ws->next('caught_up');
    $ws->raw(B(fin => 0, data => '{"type"'));
    $ws->close;
    ok(wait_for(60, sub { gauge() == 0 }), 'they are noticed');
}

# floods: of fragments without an end, and of empty ones
{
    my $ws = ws('bob', '?since=now');

    $ws->next('caught_up');
    $ws->raw(B(fin => 0, data => 'x' x 100));
    $ws->raw(join '', map { B(opcode => 0, fin => 0, data => 'x' x 100) }
                      1 .. 100);
    is(($ws->closed)[0], 1009, 'a message that never ends');

    $ws = ws('bob', '?since=now');
    $ws->next('caught_up');
    $ws->raw(B(fin => 0, data => '{"type":'));
    $ws->raw(join '', map { B(opcode => 0, fin => 0) } 1 .. 5000);
    $ws->raw(B(opcode => 0, data => '"ping"}'));
    ok($ws->next('pong'), 'fragments of nothing cost nothing');

    says('after');
    is($ws->next('swp.room.message')->{content}{body}, 'after',
       'and others hear what is said');
    $ws->close;
}

# whatever ends a stream, it goes on where it was
sub survives {
    my ($name, $fault) = @_;
    my ($ws, $at, %seen);

    ok(wait_for(60, sub { ($ws = ws('bob', '?since=now'))->{status} == 101
                          && $ws->next('caught_up') }), "$name: a stream");
    says("$name 1");

    my $said = $ws->next('swp.room.message');

    $at = $said->{stream_position};
    $seen{$said->{content}{body}}++;
    $fault->($ws);
    ok(wait_for(60, sub { call('GET', '/v1/workspaces', 'ann')->{status}
                          == 200 }), "$name: all is well again");
    says("$name $_") for 2 .. 5;

    my @missed;

    wait_for(60, sub {
        $ws = ws('bob', "?since=$at");
        @missed = ($ws->{status} // 0) == 101 ? $ws->until('caught_up') : ();
    });
    $seen{$_->{content}{body}}++
        for grep { ($_->{type} // '') eq 'swp.room.message' } @missed;
    is(join(',', map { "$_=$seen{$_}" } sort keys %seen),
       join(',', map { "$name $_=1" } 1 .. 5), "$name: each once");
    $ws->close;
}

survives('kill', sub {
    my ($ws) = @_;
    my @old = workers();

    kill 'KILL', @old;
    ok($ws->gone, 'the connection is gone');
    wait_for(60, sub { my @now = workers();
                       @now == 2 && !grep { my $p = $_;
                                            grep { $_ == $p } @old } @now });
});

survives('store', sub {
    my ($ws) = @_;

    redis('SAVE');
    redis_stop();
    is(($ws->closed)[0], 1013, 'who waits is told that the store is away');
    is((grep { ($_->{type} // '') eq 'end' } @{$ws->{said}})[0]{code},
       'SW_STORE_UNAVAILABLE', 'and why');
    redis_start();
});

survives('frozen', sub {
    my ($ws) = @_;

    redis_pause();
    is(($ws->closed)[0], 1013, 'or that it is frozen');
    redis_resume();
});

is(scalar(grep { !/exited on signal 9/ } nginx_log() =~ /\[alert\].*/g), 0,
   'no other alarm in the log');

done_testing();
