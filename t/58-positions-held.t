# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A commit that waits while a sentinel leads a failover: what the old primary
# gave to others meanwhile may be lost, and was read.  So its position is
# ahead, too, though the worker has been connected for long.

use strict;
use warnings;

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Fake qw(fake stop_fake);
use RoomsTest::Process qw(free_port wait_for);
use RoomsTest::Relay;

# Old and new primary have the same data: one is a relay to the other.
my $old = relay();
my ($new) = $ENV{TEST_NGINX_REDIS} =~ /:(\d+)\z/;
my $said = File::Temp->new;

# What the sentinel says: the primary's port, and its flags.
sub say_that {
    open my $out, '>', "$said.new" or die "$said: $!\n";
    print $out "@_";
    close $out;
    rename "$said.new", "$said" or die "$said: $!\n";
}

sub bulk { return join '', map { '$' . length($_) . "\r\n$_\r\n" } @_ }

sub sentinel {
    my ($sock) = @_;
    my $in = '';

    while (1) {
        my (undef, @words) = RoomsTest::Relay::value($sock, \$in);
        my ($port, $flags) = split ' ', do { open my $f, '<', "$said"; <$f> };
        my @master = (name => 'main', ip => '127.0.0.1', port => $port,
                      flags => $flags, 'config-epoch' => $port == $new ? 2 : 1);

        RoomsTest::Relay::put($sock,
            "@words" =~ /^SENTINEL get-master/i
            ? "*2\r\n" . bulk('127.0.0.1', $port)
            : "@words" =~ /^SENTINEL MASTER /i
            ? '*' . @master . "\r\n" . bulk(@master) : "+PONG\r\n");
    }
}

say_that($old, 'master');

my $watch = free_port();
my $fake = fake($watch, sub { eval { sentinel(@_) } });

run_nginx(<<"END", workers => 1, log_level => 'notice');
    rooms on;
    rooms_auth mock;
    rooms_server_name rooms.test;
    rooms_redis redis-sentinel://127.0.0.1:$watch/main;
    rooms_redis_timeout 5s;
END

known('ann');

my $room = make(group => 'ann');

# a position as seconds ahead of now
sub ahead { return $_[0] / 8000 + 1577836800 - time }

sub say_one {
    return must('POST', "/v1/rooms/$room/send", 'ann', { content => {} })
           ->{stream_position};
}

cmp_ok(ahead(say_one()), '>', 25, 'a worker that has just connected is ahead');

# so long that the clock would give the positions again
sleep 31;
redis('SET', key('position'), int((time - 1577836800) * 8000));
cmp_ok(ahead(say_one()), '<', 5, 'and later it is not');

# an event_uuid has to be looked for, so the room is read before the commit
rule(qr/^HGETALL .*:r:$room\b/, 'drip 1 2', 1);

my $conn = RoomsTest::HTTP::http_begin(
    RoomsTest::HTTP::http_raw('POST', "/v1/rooms/$room/send", token('ann'),
                              { content => {}, event_uuid => 'held' }));

ok(wait_for(5, sub { met() }), 'a message is sent');
say_that($old, 'master,failover_in_progress');
ok(wait_for(5, sub { nginx_log() =~ /leads a failover/ }), 'a failover');
sleep 1.5;
say_that($new, 'master');

my $res = RoomsTest::HTTP::http_end($conn, 10);

is($res->[0], 201, 'the message waits for the new primary');
cmp_ok(ahead(json_get($res->[2], 'data.stream_position')), '>', 25,
       'and is behind whatever the old one gave');
like(nginx_log(), qr/primary of "[^"]*" is 127\.0\.0\.1:$new/, 'which is here');

stop_nginx();
stop_fake($fake);
stop_relay();

done_testing();
