# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_redis_wait: a primary that has been cut off from its replica and from
# the sentinels, but not from NGINX, acknowledges nothing that is lost.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest '-no_redis';
use RoomsTest::Chaos;
use RoomsTest::Topology qw(redis_cli sentinels_start slowly);

plan(skip_all => 'no redis-server') unless RoomsTest::Redis::binary();

my ($primary, $replica, @sentinels) = sentinels_start();

# NGINX comes as a user of its own: without the default user, the others are
# cut off

for my $port ($primary, $replica) {
    redis_cli($port, qw(ACL SETUSER rooms on >secret ~* &* +@all));
}

my $chaos = RoomsTest::Chaos->new(
    store => 'redis-sentinel://rooms:secret@'
             . join(',', map { "127.0.0.1:$_" } @sentinels) . '/main',
    conf => 'rooms_redis_timeout 2s; rooms_redis_wait 1 500ms;');

sub send_one {
    my ($key, $port) = @_;

    return $chaos->call($port // ($chaos->ports)[0], 'writer0', 'POST',
                        "/v1/rooms/$chaos->{rooms}[0]/send",
                        { content => { body => "one-$key" } },
                        'Idempotency-Key' => $key);
}

is(send_one('a')->{status}, 201, 'with its replica');

# a replica that is away: 503, and the truth

redis_cli($replica, 'REPLICAOF', '127.0.0.1', 1);

my $res;

ok(slowly(20, sub {
    $res = send_one('b-' . time());
    $res->{status} == 503;
}), 'without it');
is($res->{error}{details}[0]{problem}, 'unknown', 'what became of it');

my $again = send_one('c');

is($again->{status}, 503, 'a key');
is(send_one('c')->{status}, 503, 'which is asked again');

redis_cli($replica, 'REPLICAOF', '127.0.0.1', $primary);

ok(slowly(30, sub { send_one('c')->{status} == 201 }), 'and is sure now');

my @said = grep { ($_->{content}{body} // '') eq 'one-c' }
           $chaos->room($chaos->{rooms}[0]);

is(scalar @said, 1, 'there once');

ok(slowly(40, sub {
    redis_cli($primary, 'INFO', 'replication') =~ /state=online/
    && !grep { redis_cli($_, 'SENTINEL', 'replicas', 'main')
               =~ /s_down|o_down|disconnected/ } @sentinels
}), 'all is well again');

RoomsTest::Chaos::report('partition, with rooms_redis_wait',
    $chaos->run(faults => [[0.3, sub {
        redis_cli($primary, '-u', "redis://rooms:secret\@127.0.0.1:$primary",
                  qw(ACL SETUSER default off));
        redis_cli($primary, '-u', "redis://rooms:secret\@127.0.0.1:$primary",
                  qw(CLIENT KILL USER default));
    }], [0.4, sub {
        # the new one has no replica until the old one is back
        ok(slowly(60, sub { redis_cli($replica, 'ROLE') =~ /^master/ }),
           'the replica takes over');
        redis_cli($primary, '-u', "redis://rooms:secret\@127.0.0.1:$primary",
                  qw(ACL SETUSER default on nopass ~* &* +@all));
    }]]), outage => 60, resets => 1);

$chaos->stop;
done_testing();
