# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What a worker warns of when it reaches a store: once, by one worker, and as
# gauges; what a provider hides is no error.  And what waits for other servers.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Fake qw(fake stop_fake);
use RoomsTest::Process qw(wait_for);
use RoomsTest::Stranger ();

my $ada = 'mock:ada@acme';

sub server {
    my ($url) = @_;

    return <<"END";
        rooms on;
        rooms_auth mock;
        rooms_redis $url;
        location = /status { rooms_status; }
        location = /readyz { rooms_health ready; }
END
}

sub gauges {
    my $text = http_req('GET', '/status')->[2];

    return join ' ', map { my ($n) = $text =~
                           /^rooms_store_warnings\{kind="$_"\} (\d+)$/m;
                           "$_=" . ($n // 'none') }
                     qw(old eviction no_aof replica);
}

sub become {
    my ($want) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok(wait_for(30, sub {
        http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 8]);
        gauges() eq $want
    }), $want) || diag(gauges());
}

sub said { return scalar(() = nginx_log() =~ /\[warn\].*rooms: redis .*$_[0]/g) }

# connections are made anew, and with them the look
sub again { redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes') }

my $url = '127.0.0.1:' . redis_port() . '/0';

run_nginx(server("redis://$url"), workers => 2);
# a worker may have looked by now, for work of its own
like(gauges(), qr/^old=0 eviction=0 no_aof=[01] replica=0$/, 'all kinds');
become('old=0 eviction=0 no_aof=1 replica=0');
like(nginx_log(), qr/\[warn\].*redis "127\.0\.0\.1:\d+" has no AOF \(appendonly/,
     'the warning');

redis('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu');
again();
become('old=0 eviction=1 no_aof=1 replica=0');
like(nginx_log(), qr/\[warn\].*has maxmemory-policy allkeys-lfu/, 'its name');
is_deeply(JSON::PP->new->decode(http_req('GET', '/status?format=json')->[2])
          ->{warnings}, { old => 0, eviction => 1, no_aof => 1, replica => 0 },
          'the same in JSON');
nginx_reload();
become('old=0 eviction=1 no_aof=1 replica=0');

redis('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
redis('CONFIG', 'SET', 'appendonly', 'yes');
again();
become('old=0 eviction=0 no_aof=0 replica=0');

redis('REPLICAOF', '127.0.0.1', 1);
again();
become('old=0 eviction=0 no_aof=0 replica=1');
redis('REPLICAOF', 'NO', 'ONE');
redis('CONFIG', 'SET', 'appendonly', 'no');
again();
become('old=0 eviction=0 no_aof=1 replica=0');

is(said('has no AOF'), 1, 'one worker has warned, once');
is(said('maxmemory-policy'), 1, 'of each');
is(said('is a read-only replica'), 1, 'kind');

# hidden
redis('ACL', 'SETUSER', 'hides', 'on', '>secret-word', '~*', '&*', '+@all',
      '-info', '-config');
run_nginx(server("redis://hides:secret-word\@$url"), workers => 2);
http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 8]);
is(http_req('GET', '/v1/rooms/archived', $ada)->[0], 200, 'a store that hides');
is(http_req('GET', '/readyz')->[0], 200, 'is ready');
is(gauges(), 'old=0 eviction=0 no_aof=0 replica=0', 'nothing to warn of');
unlike(nginx_log(), qr/\[(?:error|crit|alert)\]/, 'nor an error');
is(said(''), 0, 'no warning');

# an old one, and one that answers with something else
my $port = RoomsTest::Process::free_port();

for my $version ('6.0.16', '6.2.0', '10.1', 'strange') {
    my $fake = fake($port, sub {
        my ($sock) = @_;
        my $in = '';

        while (sysread $sock, $in, 4096, length $in) {
            while ($in =~ s/\A\*1\r\n\$4\r\n(INFO|PING)\r\n//) {
                my $info = "# Server\r\nredis_version:$version\r\n"
                           . "tcp_port:1\r\n";

                syswrite $sock, $1 eq 'INFO'
                    ? '$' . length($info) . "\r\n$info\r\n" : "+PONG\r\n";
            }
        }
    });

    run_nginx(server("redis://127.0.0.1:$port"));
    is(http_req('GET', '/readyz')->[0], 200, "Redis $version");

    my $old = $version eq '6.0.16' ? 1 : 0;

    ok(wait_for(10, sub { gauges() =~ /^old=$old / }), 'is looked at');
    is(said("is $version, older than 6.2"), $old, $old ? 'too old' : 'fine');
    stop_nginx();
    stop_fake($fake);
}

# no password in a log
for my $kind ('redis-cluster', 'redis-sentinel', 'redis') {
    my $name = $kind eq 'redis-sentinel' ? '/main' : '';

    run_nginx(server("$kind://hides:secret-word\@127.0.0.1:1$name"),
              http => "    rooms_redis_timeout 200ms;\n");
    is(http_req('GET', '/readyz')->[0], 503, "$kind: away");
    wait_for(3, sub { nginx_log() =~ /rooms: .*127\.0\.0\.1:1/ });
    like(nginx_log(), qr/rooms: .*127\.0\.0\.1:1/, 'the log names the host');
    unlike(nginx_log(), qr/secret-word/, 'and no password');
}

# what waits for other servers
my ($b) = RoomsTest::Stranger::around('a.example', 'acme',
    { server => 'location = /status { rooms_status; }' }, 'b');

sub pending {
    return (http_req('GET', '/status')->[2]
            =~ /^rooms_outbox_pending (\d+)$/m)[0];
}

sub ask {
    my ($method, $path, $body) = @_;

    return RoomsTest::Stranger::call('root@acme:admin', $method, $path, $body)
           ->{data};
}

RoomsTest::Stranger::policy({ allowed_peers => [$b->name] });

my $room = ask('POST', '/v1/rooms', { room_type => 'group', name => 'x' })
           ->{id};

is(pending(), 0, 'nothing waits');
ask('PUT', "/v1/admin/rooms/$room/federate",
    { enabled => JSON::PP::true });
ask('POST', "/v1/rooms/$room/invitations", { fqid => $b->fqid('zoe') });
ok(wait_for(60, sub { pending() >= 1 }), 'an invite that is not delivered');
redis('DEL', 'sw:{acme}:outbox:' . $b->name, 'sw:{acme}:outboxes');
ok(wait_for(60, sub { pending() == 0 }), 'until it is gone');

done_testing();
