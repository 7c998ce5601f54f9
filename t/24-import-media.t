# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/import with many media: they are registered some at a time
# before there is a room, so what is cut off between two steps is undone, and
# every content is counted right at any moment.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle event form manifest medium);
use RoomsTest::Process ();
use Test::More;

use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use List::Util qw(max);
use Time::HiRes qw(sleep time);

my $dir = tempdir('rooms-media-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $many = $ENV{ROOMS_TEST_MEDIA} // 20_000;
my $contents = 40;
my $old = 2 * 24 * 60 * 60;

my $conf = <<"CONF";
    rooms on;
    rooms_auth mock;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_redis_timeout 5s;
    rooms_media_path $dir;
    rooms_media_sweep 200ms;
    client_max_body_size 100m;
CONF

# Each content has many media; the first of them is known already.
my @media = map { [medium("content $_", "$_.txt")] } 1 .. $contents;
my @events = map { event($_, "m $_") } 1 .. 2;

$events[1]{event_type} = 'swp.room.reaction';
$events[1]{content} = { event_id => $events[0]{id}, emoji => 'x' };

my $file = bundle(manifest(events => \@events, media => [map {
                      +{ %{ $media[$_ % $contents][0] },
                         media_id => "med-$_" }
                  } 1 .. $many]), map { $_->[1] } @media);
my ($body, $type) = form($file);

# A tenant of its own for each test.
my $t;

sub key { return "sw:{$t}:$_[0]" }
sub ina { return "mock:ina\@$t" }

sub tenant {
    ($t) = @_;
    my ($one, $form) = form('content 1');

    is(http_req('POST', '/v1/media/upload', ina(), $one,
                'Content-Type' => $form)->[0], 201, 'a content is known');
}

# Those who watch are to be quicker than the worker, however busy the machine.
sub begin {
    my $worker = worker();

    setpriority(0, $worker, 10) if $worker;

    return (http_begin('POST', '/v1/rooms/import', ina(), $body,
                       'Content-Type' => $type), $worker);
}

sub end {
    my ($s) = @_;
    my $text = '';

    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 120 * patience();
    while (sysread $s, $text, 65536, length $text) { }
    alarm 0;

    return $text;
}

sub wait_for {
    my ($what, $check) = @_;
    my $value;

    return $value
        if RoomsTest::Process::wait_for(60, sub { $value = $check->() });

    fail("$what: waited in vain");
    return undef;
}

sub worker {
    my $master = nginx_pid();
    my ($pid) = map { /(\d+)/ } `ps -o pid= --ppid $master`;

    return $pid;
}

sub room { return redis('ZRANGE', key('imports'), 0, -1)->[0] }
sub journal { return key('r:' . room() . ':media') }

# The worker stands still when some of the media are registered.
sub halfway {
    my ($worker, $part) = @_;

    wait_for('some media', sub {
        room() && redis('HLEN', journal()) > $many * ($part // 0.1)
    });
    kill 'STOP', $worker;
    sleep 0.05;

    my $n = redis('HLEN', journal());

    ok($n > 0 && $n < $many, "$n of $many are registered");

    return $n;
}

# Each content is counted as often as media have it.
sub counts_are_right {
    my ($name, $n) = @_;
    my %media = @{ redis('HGETALL', key('media')) };
    my %blobs = @{ redis('HGETALL', key('blobs')) };
    my %count;

    $count{decode_json($_)->{sha256}}++ for values %media;
    is(scalar keys %media, $n, "$name: $n media") if defined $n;
    is_deeply(\%blobs, \%count, "$name: contents are counted right");
}

sub nothing_is_left {
    my ($name) = @_;

    wait_for('the undoing', sub { !redis('EXISTS', key('imports')) });
    counts_are_right($name, 1);
    is_deeply([grep { redis('TTL', $_) == -1 } @{ redis('KEYS', key('r:*')) }],
              [], "$name: nothing of a room that doesn't expire");
    is(redis('HGET', key('tenant'), 'rooms') // 0, 0, "$name: none counted");
}

sub files {
    my @files;

    find({ no_chdir => 1, wanted => sub { push @files, $_ if -f } },
         "$dir/$t");

    return @files;
}

sub alive {
    wait_for('a worker', sub {
        http_req('GET', '/v1/workspaces', ina())->[0] == 200
    });
}

# A day later.
sub age {
    my $then = time() - $old;

    utime $then, $then, files();
    redis('ZADD', key('imports'), 'XX', int(1000 * $then), room() // '');
}


run_nginx($conf, master => 1, workers => 1);

subtest 'a worker dies between two steps' => sub {
    tenant('killed');

    my ($s, $worker) = begin();
    my $n = halfway($worker);
    my $journal = journal();
    my $room = room();

    counts_are_right('halfway', $n + 1);
    is(redis('TTL', $journal), -1, 'the journal does not expire');
    is(redis('EXISTS', key("r:$room")), 0, 'there is no room');

    kill 'KILL', $worker;
    is(end($s), '', 'no answer');
    alive();
    is(http_req('GET', "/v1/rooms/$room", ina())->[0], 404, 'nor is it seen');

    for (1 .. 2) {
        redis('DEL', key('lease:sweep'));
        wait_for('a sweep', sub { redis('EXISTS', key('lease:sweep')) });
    }

    is(redis('HLEN', $journal), $n, 'a young one is left alone');

    is(scalar files(), $contents, 'the contents are there');
    age();
    nothing_is_left('a day later');
    wait_for('the files to go', sub { files() == 1 });
    like((files())[0], qr/\b@{[ sha256_hex('content 1') ]}$/,
         'but for what has a reference');
};

subtest 'and the next one while it undoes' => sub {
    my ($left, $try) = (0, 0);

    # which takes a tenth of a second
    while (!$left && $try++ < 5) {
        tenant("twice$try");

        my ($s, $worker) = begin();
        my $n = halfway($worker, 0.3);
        my $journal = journal();

        kill 'KILL', $worker;
        end($s);
        alive();
        $worker = worker();
        age();

        wait_for('the undoing to begin', sub {
            redis('HLEN', $journal) < $n
        });
        kill 'STOP', $worker;
        sleep 0.05;

        $left = redis('HLEN', $journal);
        counts_are_right('meanwhile', $left + 1);
        kill 'KILL', $worker;
        nothing_is_left('the one after that');
    }

    cmp_ok($left, '>', 0, "$left were left");
};

subtest 'refused at the end' => sub {
    tenant('full');

    redis('HSET', key('tenant'), 'max_rooms', 1);

    my ($s, $worker) = begin();

    halfway($worker);

    redis('HSET', key('tenant'), 'rooms', 1);
    kill 'CONT', $worker;
    like(end($s), qr/ 409 .*SW_TENANT_CAPACITY/s, 'is told');
    redis('HDEL', key('tenant'), 'rooms');
    nothing_is_left('at once');
};

# What a room's reactions are.
sub reactions { return map { @{ redis('KEYS', key("r:*:$_")) } }
                       qw(tally counts) }

subtest 'the client leaves' => sub {
    tenant('client');

    my ($s, $worker) = begin();

    halfway($worker);
    is(scalar(grep { redis('TTL', $_) > 0 } reactions()), 2,
       'reactions are there, and expire');

    close $s;
    kill 'CONT', $worker;
    nothing_is_left('soon');
    ok(wait_for('reactions to go', sub { !reactions() }), 'nor reactions');
};

subtest 'reactions are lost before the commit' => sub {
    for (0, 1) {
        tenant("lost$_");

        my ($s, $worker) = begin();

        halfway($worker);
        redis('DEL', (reactions())[$_]);
        kill 'CONT', $worker;
        like(end($s), qr/ 409 .*SW_CONFLICT/s, 'is noticed');
        nothing_is_left('soon');
    }
};

subtest 'somebody has begun to undo it' => sub {
    tenant('undone');

    my ($s, $worker) = begin();

    halfway($worker);
    my ($id, $sha) = @{ redis('HRANDFIELD', journal(), 1, 'WITHVALUES') };

    $sha =~ s/ .*//;
    redis('HDEL', journal(), $id);
    redis('HDEL', key('media'), $id);
    redis('HINCRBY', key('blobs'), $sha, -1);
    kill 'CONT', $worker;
    like(end($s), qr/ 409 .*SW_CONFLICT/s, 'is noticed');
    nothing_is_left('soon');
};

subtest 'the store goes' => sub {
    tenant('store');

    my ($s, $worker) = begin();

    halfway($worker);

    redis('SCRIPT', 'FLUSH');
    redis_stop();
    kill 'CONT', $worker;
    like(end($s), qr/ 503 .*SW_STORE_UNAVAILABLE/s, 'is told');
    redis_start();
    alive();
};

# As an erasure does it: rows go, and each is counted.
sub erase {
    my %rows = @{ redis('HGETALL', journal()) };

    for my $id (keys %rows) {
        my ($sha256, $size) = split ' ', $rows{$id};

        redis('HDEL', key('media'), $id);
        redis('HINCRBY', key('tenant'), 'media_bytes', -$size);
        redis('HDEL', key('blobs'), $sha256)
            if redis('HINCRBY', key('blobs'), $sha256, -1) == 0;
    }
}

subtest 'the importer is erased before a day is over' => sub {
    tenant('erased');

    my ($s, $worker) = begin();

    halfway($worker);
    kill 'KILL', $worker;
    end($s);
    alive();
    erase();
    age();
    nothing_is_left('nothing is counted twice');
    is(redis('HGET', key('tenant'), 'media_bytes'), length('content 1'),
       'nor its bytes');
};

subtest 'the reply of a step is lost' => sub {
    tenant('silent');

    my ($s, $worker) = begin();

    halfway($worker);

    redis_pause();
    kill 'CONT', $worker;
    like(end($s), qr/ 503 .*SW_STORE_UNAVAILABLE/s, 'is told');
    redis_resume();
    alive();

    # whether the worker could undo it or not
    wait_for('the sweep', sub { age(); !redis('EXISTS', key('imports')) });
    nothing_is_left('a day later');
};

stop_nginx();

subtest 'many media, short steps' => sub {
    run_nginx($conf);
    tenant('many');

    redis('CONFIG', 'SET', 'slowlog-max-len', 100_000);
    redis('CONFIG', 'SET', 'slowlog-log-slower-than', 0);
    redis('SLOWLOG', 'RESET');

    my $start = time();
    my ($s) = begin();
    my @times;

    # others are answered meanwhile; how soon is a figure of make bench
    for ( ;; ) {
        my $bits = '';

        vec($bits, fileno $s, 1) = 1;
        last if select $bits, undef, undef, 0;

        my $t0 = time();
        http_req('GET', '/v1/workspaces', ina())->[0] == 200
            or fail('a ping');
        push @times, time() - $t0;
        sleep(0.002);
    }

    my $answer = end($s);
    my $took = time() - $start;
    my @log = grep { $_->[3][0] !~ /^(?:HGETALL|SLOWLOG)$/ }
              @{ redis('SLOWLOG', 'GET', 100_000) };

    redis('CONFIG', 'SET', 'slowlog-log-slower-than', -1);
    like($answer, qr/ 201 .*"media_imported":$many\b/s, 'imported');
    counts_are_right('afterwards', $many + 1);
    is(redis('EXISTS', key('imports')), 0, 'no journal is left');

    my ($room) = $answer =~ /"id":"(room-\w+)"/;
    my ($id) = grep { redis('HGET', key('media'), $_) =~ /"name":"7\.txt"/ }
               @{ redis('HRANDFIELD', key('media'), 1000) };

    is(redis('EXISTS', key("r:$room:media")), 0, 'nor what was in it');
    like(http_req('GET', "/v1/media/download/$id", ina())->[2],
         qr/^content 7$/, 'one of them');

    # a bound on each command is one on each turn of the loop that makes it
    my @sizes = map {
        my @args = @{ $_->[3] };
        my ($more) = $args[-1] =~ /^\.\.\. \((\d+) more arguments\)$/;

        $more ? @args - 1 + $more : scalar @args;
    } @log;

    cmp_ok(scalar @sizes, '>', $many / 100, 'commands were seen');
    cmp_ok(max(@sizes), '<', 1100, 'none has very many arguments');

    cmp_ok(scalar @times, '>', 0, 'pings were answered meanwhile');
    @times = sort { $a <=> $b } @times;
    diag(sprintf '%d media in %.1f s; the longest command took Redis %.1f ms; '
                 . '%d pings, median %.1f ms, p99 %.1f ms, worst %.1f ms',
                 $many, $took, max(map { $_->[2] } @log) / 1000,
                 scalar @times, 1000 * $times[@times / 2],
                 1000 * $times[@times * 0.99], 1000 * $times[-1]);
};

my @odd = grep { /\[(?:alert|emerg)\]/ } split /^/m, nginx_log();

is("@odd", '', 'the log is quiet');

done_testing();
