# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_redis_wait: WAIT as the directive has it, behind each change and each
# claim of a key, and how many replicas are enough.  That nothing is lost is in
# t/chaos/wait.t.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Relay;

my $enough = 'lie 9223372036854775807';
my $port = relay();
my @key = ('Idempotency-Key' => 'k');

sub serve {
    my ($wait) = @_;

    run_nginx(<<"END");
        rooms on;
        rooms_auth mock;
        rooms_redis redis://127.0.0.1:$port/0;
        rooms_redis_wait $wait;
END
}

sub waits {
    my ($want, @call) = @_;

    rule(qr/^WAIT /, 'note');
    my $res = call(@call);
    is(join(', ', noted()), $want, "$call[0] $call[1]: $want");
    norule();

    return $res;
}

serve('off');
known('ann');

my $room = make(group => 'ann', name => 'Safe');
my @send = ('POST', "/v1/rooms/$room/send", 'ann', { content => {} });
my @get = ('GET', "/v1/rooms/$room", 'ann');

waits('', @send);

serve('1');
waits('WAIT 1 500', @send);

serve('2 300ms');

my $res = waits('WAIT 2 300', @send);

is("$res->{status} $res->{code}", '503 SW_STORE_UNAVAILABLE', 'no replica');
is($res->{problem}, 'unknown', 'what became of it');
waits('', @get);

rule(qr/^WAIT /, 'lie 1');
expect('503 SW_STORE_UNAVAILABLE', @send);
rule(qr/^WAIT /, $enough);
expect('201', @send);
expect('201', @send, @key);

# a recorded change may be lost with its primary
rule(qr/^WAIT /, 'lie 1');
expect('503 SW_STORE_UNAVAILABLE', @send, @key);
rule(qr/^WAIT /, $enough);
is(expect('201', @send, @key)->{headers}{'idempotency-replayed'}, 'true',
   'a replay');
norule();
is(event_count(), 7, 'all were made, with the key only one');

stop_relay();
done_testing();
