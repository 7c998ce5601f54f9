# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A Redis Cluster, and a primary that sentinels know: how they are found.  The
# store is a cluster of one node here, which a sentinel watches, too.  Slots
# that move and primaries that fail over are in t/37-topology-faults.t.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use Test::More ();

use lib 't/lib';
use RoomsTest '-cluster';
use RoomsTest::Process qw(write_file);
use RoomsTest::Topology qw(redis_args redis_cli redis_server topology_port);
use Test::Nginx::Socket 'no_plan';

my $sentinel = topology_port();
my $dir = File::Temp->newdir('rooms-sentinel-XXXXXXXX', TMPDIR => 1);

write_file("$dir/conf", <<"END");
port $sentinel
bind 127.0.0.1
dir $dir
sentinel monitor main 127.0.0.1 $ENV{TEST_NGINX_REDIS_PORT} 1
sentinel monitor gone 127.0.0.1 1 1
END

redis_server($sentinel, "$dir/conf", '--sentinel');

# Clusters of one node that don't know how they are called, or don't tell; and a
# server that is no cluster.
my ($lonely, $unknown, $single) = map { topology_port() } 1 .. 3;

for my $port ($lonely, $unknown) {
    redis_server($port, redis_args($port, '--cluster-enabled', 'yes'));
    redis_cli($port, 'CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
}

redis_cli($unknown, 'CONFIG', 'SET', 'cluster-preferred-endpoint-type',
          'unknown-endpoint');
redis_server($single, redis_args($single));

# One that lets everybody connect, and says nothing.
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
    or die "listen: $!\n";

# The store, with who uses it; its address alone; and one where nobody listens.
my ($user, $address) = $ENV{TEST_NGINX_REDIS} =~ /\A(.*\@)?(.*)/;

$ENV{TEST_NGINX_ADDRESS} = $address;
$ENV{TEST_NGINX_NOBODY} = ($user // '') . '127.0.0.1:1';
$ENV{TEST_NGINX_LONELY} = "127.0.0.1:$lonely";
$ENV{TEST_NGINX_UNKNOWN} = "127.0.0.1:$unknown";
$ENV{TEST_NGINX_SINGLE} = "127.0.0.1:$single";
$ENV{TEST_NGINX_SILENT} = '127.0.0.1:' . $silent->sockport;
$ENV{TEST_NGINX_SENTINEL} = "127.0.0.1:$sentinel";

# Tenants whose keys are in slots of all thirds of the cluster.
my %third;

for my $n (1 .. 100) {
    my $slot = redis('CLUSTER', 'KEYSLOT', "sw:{tenant-$n}:position");

    $third{int $slot / 5462} //= "tenant-$n";
}

save(low => $third{0}, middle => $third{1}, high => $third{2});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a cluster is found by a node of it; all of its slots are used
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_REDIS;
--- calls
ada@{{low}} POST /v1/rooms {"room_type": "group", "name": "low"} -> 201
    save room_low: json data.id
    save position: json data.last_event_position
ada@{{middle}} POST /v1/rooms {"room_type": "group", "name": "middle"} -> 201
    save room_middle: json data.id
ada@{{high}} POST /v1/rooms {"room_type": "group", "name": "high"} -> 201
    save room_high: json data.id
--- store
GET sw:{{{low}}}:position = {{position}}
EXISTS sw:{{{low}}}:r:{{room_low}} = 1
EXISTS sw:{{{middle}}}:r:{{room_middle}} = 1
EXISTS sw:{{{high}}}:r:{{room_high}} = 1



=== TEST 2: ... and read from
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_REDIS;
--- calls
ada@{{low}} GET /v1/rooms/{{room_low}} -> 200
    data.name = low
ada@{{middle}} GET /v1/rooms/{{room_middle}} -> 200
    data.name = middle
ada@{{high}} GET /v1/rooms/{{room_high}} -> 200
    data.name = high



=== TEST 3: without any node there is no store
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_NOBODY;
        rooms_redis_timeout 300ms;
--- calls
ada@{{low}} GET /v1/rooms/{{room_low}} -> 503 SW_STORE_UNAVAILABLE



=== TEST 4: a server that is no cluster has no slots, and the log says so
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_SINGLE;
        rooms_redis_timeout 1500ms;
        location = /readyz { rooms_health ready; }
--- calls
ada@{{low}} GET /v1/rooms/{{room_low}} -> 503 SW_STORE_UNAVAILABLE
--- error_log
rooms: no slots from
if it is not a cluster, use "redis://"



=== TEST 5: ... once; it isn't ready
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_SINGLE;
        rooms_redis_timeout 1500ms;
        location = /readyz { rooms_health ready; }
--- request
GET /readyz
--- error_code: 503
--- response_body
{"ready": false, "store": "down"}
--- no_error_log
no slots from



=== TEST 6: the first request waits for a node that answers, past two that are dead, one that is silent and one that is no cluster
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_NOBODY,127.0.0.1:2,$TEST_NGINX_SILENT,$TEST_NGINX_SINGLE,$TEST_NGINX_ADDRESS;
--- calls
ada@{{low}} GET /v1/rooms/{{room_low}} -> 200
    data.name = low
ada@{{high}} GET /v1/rooms/{{room_high}} -> 200
    data.name = high



=== TEST 7: ... and so does the first look at its health
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_NOBODY,127.0.0.1:3,$TEST_NGINX_ADDRESS;
        location = /readyz { rooms_health ready; }
--- request
GET /readyz
--- response_body
{"ready": true, "store": "up"}



=== TEST 8: a node that met no other has no name; it is the one that was asked
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_NOBODY,$TEST_NGINX_LONELY;
--- calls
ada@{{low}} POST /v1/rooms {"room_type": "group", "name": "low"} -> 201
ada@{{high}} POST /v1/rooms {"room_type": "group", "name": "high"} -> 201



=== TEST 9: likewise a node that doesn't tell its name
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-cluster://$TEST_NGINX_NOBODY,$TEST_NGINX_UNKNOWN;
--- calls
ada@{{low}} POST /v1/rooms {"room_type": "group", "name": "low"} -> 201
ada@{{high}} POST /v1/rooms {"room_type": "group", "name": "high"} -> 201



=== TEST 10: a primary is found by any sentinel that answers
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-sentinel://$TEST_NGINX_NOBODY,$TEST_NGINX_SENTINEL/main;
--- calls
ada@acme POST /v1/rooms {"room_type": "public", "name": "kept"} -> 201
    save room: json data.id
ada@acme GET /v1/rooms/{{room_low}} -> 404 SW_ROOM_NOT_FOUND
ada@{{low}} GET /v1/rooms/{{room_low}} -> 200
    data.name = low
--- store
EXISTS sw:{acme}:r:{{room}} = 1



=== TEST 11: a name that the sentinels don't know
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-sentinel://$TEST_NGINX_SENTINEL/other;
        rooms_redis_timeout 300ms;
--- calls
ada@acme GET /v1/rooms/{{room}} -> 503 SW_STORE_UNAVAILABLE
--- error_log
knows no such primary



=== TEST 12: a server that is no sentinel names no primary
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-sentinel://$TEST_NGINX_ADDRESS/main;
        rooms_redis_timeout 300ms;
--- calls
ada@acme GET /v1/rooms/{{room}} -> 503 SW_STORE_UNAVAILABLE



=== TEST 13: ... and doesn't hide a sentinel that knows it
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-sentinel://$TEST_NGINX_ADDRESS,$TEST_NGINX_SILENT,$TEST_NGINX_SENTINEL/main;
--- calls
ada@{{low}} GET /v1/rooms/{{room_low}} -> 200
    data.name = low



=== TEST 14: a primary that is down
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-sentinel://$TEST_NGINX_SENTINEL/gone;
        rooms_redis_timeout 300ms;
        location = /readyz { rooms_health ready; }
--- calls
ada@acme GET /v1/rooms/{{room}} -> 503 SW_STORE_UNAVAILABLE



=== TEST 15: ... isn't ready
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis-sentinel://$TEST_NGINX_SENTINEL/gone;
        rooms_redis_timeout 300ms;
        location = /readyz { rooms_health ready; }
--- request
GET /readyz
--- error_code: 503
--- response_body
{"ready": false, "store": "down"}
