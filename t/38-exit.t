# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Workers that exit leave no connection to the store behind.

use strict;
use warnings;

use File::Temp ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Signer;

my $dir = File::Temp->newdir('rooms-exit-XXXXXXXX', TMPDIR => 1);

sub exited {
    my ($n) = @_;

    return RoomsTest::Process::wait_for(10, sub {
        my $exited = () = nginx_log() =~ /exited with code 0/g;

        return $exited >= $n;
    });
}

my $server = <<'END';
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_redis_timeout 60s;
END

run_nginx($server, workers => 2);

for (1 .. 3) {
    is(http_req('POST', '/v1/auth/register', "mock:ann\@t$_")->[0], 200,
       'the store is used');
    nginx_reload();
    ok(exited(2 * $_), 'the old workers exit');
}

unlike(nginx_log(), qr/\[alert\]/, 'in order');

# A request waits for a store that hangs, and its worker must go.

run_nginx($server, workers => 2, main => 'worker_shutdown_timeout 50ms;');

is(http_req('POST', '/v1/auth/register', 'mock:ann@t1')->[0], 200,
   'the store is used');
redis_pause();

my $sock = http_begin('GET', '/v1/rooms/archived', 'mock:ann@t1');

# its worker has accepted it when another one is answered that came later
http_req('GET', '/nothing') for 1 .. 4;
nginx_reload();
ok(exited(2), 'the old workers exit by force');
redis_resume();
unlike(nginx_log(), qr/\[alert\]/, 'in order, too');
is(http_req('POST', '/v1/auth/register', 'mock:ann@t1')->[0], 200,
   'the new ones work');

# Work of their own waits for a connection that isn't made, or for the next try
# to make one: it holds no worker.

for my $time (0.7, 1.2) {
    redis_pause();
    run_nginx($server, workers => 2, main => 'worker_shutdown_timeout 50ms;');
    sleep $time;
    nginx_reload();
    ok(exited(2), 'the old workers exit, though their work has no connection');
    redis_resume();
    unlike(nginx_log(), qr/\[alert\]/, 'in order, too');
}

# A server that federates asks its store at all times, and the store is away.

RoomsTest::Signer::write_file("$dir/key", encode_base64('a' x 32, ''));
chmod 0640, "$dir/key";

run_nginx(<<"END", workers => 2);
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant t1;
        rooms_federation on;
        rooms_federation_key $dir/key;
END

for (1 .. 6) {
    ok(RoomsTest::Process::wait_for(10, sub {
        http_req('POST', '/v1/auth/register', 'mock:ann@t1')->[0] == 200;
    }), 'the store is used');
    redis_stop();
    sleep 0.04 * $_;
    nginx_reload();
    ok(exited(2 * $_), 'the old workers exit, with the store away');
    redis_start();
}

unlike(nginx_log(), qr/\[alert\]/, 'in order');

done_testing();
