# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/import with many events, and what is left of one that is
# cut off: by its client, by a worker's death, by the store's.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle event form manifest medium zip);
use Test::More;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(sleep time);

my $media = tempdir('rooms-media-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;
my $many = $ENV{ROOMS_TEST_EVENTS} // 100_000;
my $slow = checked();

my $conf = <<"CONF";
    rooms on;
    rooms_auth mock;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_redis_timeout 2s;
    rooms_media_path $media;
    client_max_body_size 500m;
CONF

my ($medium, $entry) = medium('content of a medium', 'a.txt',
                              media_id => 'med-1');

# a manifest of many events, without holding them as Perl's data
my $rest = $json->encode(manifest(events => undef, media => [$medium]));
my @words = qw(lorem ipsum dolor sit amet consectetur adipiscing elit);
my $events = join ',', map {
    sprintf '{"id":"evt-%029d","sender_id":"alice","event_type":'
            . '"swp.room.message","content":{"body":"%s %d"},'
            . '"stream_position":%d,"origin_ts":%d,"created_at":'
            . '"2023-11-14T22:00:00.000Z","edited_at":null,'
            . '"redacted_at":null}',
            $_, join(' ', map { $words[rand @words] } 1 .. 12), $_, $_,
            1_700_000_000 + $_
} 1 .. $many;
$rest =~ s/"events":null/"events":[$events]/ or die;
undef $events;

my $file = bundle($rest, $entry);
undef $rest;

my ($body, $type) = form($file);

# A tenant of its own for each test.
my $tenant;

sub tenant {
    ($tenant) = @_;
    is(http_req('POST', '/v1/auth/register', "mock:ina\@$tenant")->[0], 200,
       'the importer');
}

# The request is sent; the connection comes back.
sub begin {
    my (%headers) = @_;
    my $bytes = RoomsTest::HTTP::http_raw('POST', '/v1/rooms/import',
                                          "mock:ina\@$tenant", $body,
                                          'Content-Type' => $type, %headers);
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => server_port_is())
        or die "connect: $!";
    my $at = 0;

    while ($at < length $bytes) {
        my $n = syswrite $s, $bytes, 1 << 20, $at;
        defined $n or die "write: $!";
        $at += $n;
    }

    return $s;
}

sub end {
    my ($s) = @_;
    my $text = '';

    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 120;
    while (sysread $s, $text, 65536, length $text) { }
    alarm 0;

    return $text;
}

sub wait_for {
    my ($what, $check) = @_;
    my $value;

    return $value
        if RoomsTest::Process::wait_for(30, sub { $value = $check->() });

    fail("$what: waited in vain");
    return undef;
}

sub staged {
    return grep { redis('ZCARD', $_) }
           @{ redis('KEYS', "sw:{$tenant}:*:events") };
}

# Waits until some, not all, of the events are in the store.
sub halfway {
    return wait_for('events in the store', sub {
        my ($key) = staged();

        return $key && redis('ZCARD', $key) > 1000 && $key;
    });
}

sub nobody_sees_it {
    my ($name) = @_;
    my $r = http_req('GET', '/v1/directory/rooms', "mock:ina\@$tenant");

    like($r->[2], qr/"data":\[\]/, "$name: no room");
    is(redis('HGET', "sw:{$tenant}:tenant", 'rooms') // 0, 0, "$name: none counted");
    is(redis('EXISTS', "sw:{$tenant}:media"), 0, "$name: no medium");
    is(redis('EXISTS', "sw:{$tenant}:blobs"), 0, "$name: no content");
    is(redis('EXISTS', "sw:{$tenant}:aliases"), 0, "$name: no alias");
}

sub worker {
    my $master = nginx_pid();
    my ($pid) = map { /(\d+)/ } grep { /worker/ }
                `ps -o pid=,args= --ppid $master`;

    return $pid;
}

sub hwm {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/status" or return;
    my ($kb) = map { /^VmHWM:\s+(\d+)/ } <$in>;

    return $kb;
}


run_nginx($conf, master => 1, workers => 1);

subtest 'the client leaves' => sub {
    tenant('client');

    my $s = begin();
    my $key = halfway();

    cmp_ok(redis('TTL', $key), '>', 0, 'what is there will expire');
    close $s;

    wait_for('its end', sub { !staged() });
    nobody_sees_it('afterwards');

    # a key that was claimed is free again
    $s = begin('Idempotency-Key' => 'left');
    halfway();
    close $s;
    wait_for('its end', sub { !staged() });
    wait_for('the key', sub { !@{ redis('KEYS', "sw:{$tenant}:idem*") } });
    pass('and so is its Idempotency-Key');
};

subtest 'the worker dies' => sub {
    tenant('worker');

    my $s = begin();
    my $key = halfway();

    kill 'KILL', worker();
    is(end($s), '', 'no answer');
    wait_for('another worker', sub {
        http_req('GET', '/v1/workspaces', "mock:ina\@$tenant")->[0] == 200
    });

    my $ttl = redis('TTL', $key);

    ok($ttl > 0 && $ttl <= 600, 'what it left expires');
    my ($room) = $key =~ /r:(room-\w+):/;
    is(http_req('GET', "/v1/rooms/$room", "mock:ina\@$tenant")->[0], 404,
       'it is no room');
    is(http_req('GET', "/v1/rooms/$room/messages", "mock:ina\@$tenant")->[0], 404,
       'whose messages could be read');
    is(scalar(grep { redis('TTL', $_) < 0 }
              grep { /\Q$room\E/ } @{ redis('KEYS', '*') }), 0,
       'every key of it expires');
    nobody_sees_it('afterwards');
    redis('DEL', $key);
};

subtest 'a reload' => sub {
    tenant('reload');

    my $s = begin();

    halfway();
    nginx_reload();

    like(end($s), qr/ 201 .*"events_imported":$many\b/s,
         'lets it come to its end');
    my ($key) = staged();
    is(redis('TTL', $key), -1, 'it stays');
};

subtest 'the store goes' => sub {
    tenant('store');

    my $s = begin();

    halfway();
    redis_stop();

    my $answer = end($s);

    like($answer, qr/^HTTP\/1\.1 503 /, 'is told');
    like($answer, qr/SW_STORE_UNAVAILABLE/, 'says why');
    like($answer, qr/^Retry-After:/mi, 'and when to try again');
    redis_start();
    wait_for('the store', sub {
        http_req('GET', '/v1/directory/rooms', "mock:ina\@$tenant")->[0] == 200
    });
    nobody_sees_it('afterwards');

    # a pause longer than the timeout
    tenant('silent');
    $s = begin();
    my $key = halfway();
    redis_pause();
    like(end($s), qr/ 503 /, '503 when it is silent');
    redis_resume();
    wait_for('the store', sub {
        http_req('GET', '/v1/directory/rooms', "mock:ina\@$tenant")->[0] == 200
    });
    wait_for('the keys to go', sub {
        my ($left) = staged();
        return !$left || redis('TTL', $left) > 0;
    });
    nobody_sees_it('afterwards');
};

subtest 'what was staged is lost before the commit' => sub {
    tenant('was');

    my $s = begin();

    redis('DEL', halfway());

    my $answer = end($s);

    like($answer, qr/ 409 .*SW_CONFLICT/s, 'is noticed: SW_CONFLICT');
    wait_for('the rest to go', sub { !staged() });
    nobody_sees_it('afterwards');
};

stop_nginx();

subtest 'many events, little memory, quick pings' => sub {
    run_nginx($conf);
    tenant('many');

    my $before = hwm(nginx_pid());
    my $start = time();
    my $s = begin();
    my ($worst, $pings, @times) = (0, 0);

    for ( ;; ) {
        my $bits = '';

        vec($bits, fileno $s, 1) = 1;
        last if select $bits, undef, undef, 0;

        my $t = time();
        http_req('GET', '/v1/workspaces', "mock:ina\@$tenant")->[0] == 200
            or fail('a ping');
        push @times, time() - $t;
        sleep(0.005);
    }

    my $answer = end($s);
    my $took = time() - $start;

    like($answer, qr/ 201 .*"events_imported":$many\b.*"media_imported":1/s,
         'imported');

    my ($key) = staged();

    is(redis('ZCARD', $key), $many + 1, 'all are there');
    is(redis('TTL', $key), -1, 'for good');

    my $end = redis('ZREVRANGE', $key, 0, 1, 'WITHSCORES');

    is($end->[3] - $many + 1, redis('ZRANGE', $key, 0, 0, 'WITHSCORES')->[1],
       'positions were reserved, in one piece');
    is(redis('GET', "sw:{$tenant}:position"), $end->[1],
       'and the room is made behind them');

    my $grew = (hwm(nginx_pid()) - $before) / 1024;

    @times = sort { $a <=> $b } @times;
    diag(sprintf '%d events in %.1f s, %.1f MiB; %d pings, median %.1f ms, '
                 . 'p99 %.1f ms', $many, $took, $grew, scalar @times,
                 1000 * $times[@times / 2], 1000 * $times[@times * 0.99]);

    SKIP: {
        skip 'a sanitizer takes its own', 2 if $slow;
        cmp_ok($grew, '<', 24, 'a worker grows by less than 24 MiB');
        cmp_ok(1000 * $times[@times * 0.9], '<', 500, 'pings are answered');
    }
};

my @odd = grep { /\[(?:alert|emerg)\]/ } split /^/m, nginx_log();

is("@odd", '', 'the log is quiet');

done_testing();
