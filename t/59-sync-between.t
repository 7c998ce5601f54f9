# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A follower leaves a room and joins another, and something is said there, between any two commands
# of a look at the store, whether the list of rooms was kept or not: no event is
# missed, and none comes twice.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(free_port wait_for);
use RoomsTest::Relay;

my $port = relay();
my $direct = free_port();
my $common = <<'END';
    rooms on;
    rooms_auth mock;
    rooms_server_name rooms.test;
END

my $followed = run_nginx(<<"END", workers => 1, master => 1, http => <<"HTTP");
    $common
    rooms_redis redis://127.0.0.1:$port/0;
END
    server {
        listen 127.0.0.1:$direct;
        $common
        rooms_redis redis://$ENV{TEST_NGINX_REDIS}/0;
    }
HTTP

sub on { RoomsTest::HTTP::server_port_is($_[0]) }
sub now_at { return redis('GET', key('position')) }

sub page {
    my ($since, $timeout) = @_;

    return RoomsTest::HTTP::http_begin(
        RoomsTest::HTTP::http_raw('GET', "/v1/sync?since=$since&limit=100"
                                         . "&timeout=$timeout", token('ann')));
}

my $last;

# Leaves the last room and joins another, so that the list has as many as
# before; something is said there before and afterwards.  Returns the second
# event.
sub joins {
    my ($room) = @_;
    my $said;

    on($direct);
    must('POST', "/v1/rooms/$last/leave", 'ann') if $last;
    $last = $room;
    must('POST', "/v1/rooms/$room/send", 'bob', { content => { n => 1 } });
    admit($room, 'bob', 'ann');
    $said = must('POST', "/v1/rooms/$room/send", 'bob',
                 { content => { n => 2 } })->{id};
    on($followed);

    return $said;
}

# All events from this page on, until there are no more.
sub follows {
    my ($page) = @_;
    my (@seen, $empty);

    while (1) {
        push @seen, @{$page->{events}};
        last if !@{$page->{events}} && $empty++;
        $page = must('GET', "/v1/sync?since=$page->{next_cursor}&timeout=0",
                     'ann');
    }

    return @seen;
}

known(qw(ann bob));
make(group => 'ann', name => "Room $_") for 1 .. 40;

for my $kept (1, 0) {
    for my $timeout (0, 3000) {
        my $n = 1;

        for (my $k = 0; $k < $n; $k++) {
            my $name = ($kept ? 'kept' : 'read') . " list, timeout $timeout, "
                       . "before command $k";
            my $room = make(group => 'bob', name => 'New');

            must('GET', '/v1/sync?since=' . now_at() . '&timeout=20', 'ann')
                for 1 .. 2 * $kept;

            # how many commands a look has; it keeps the list

            if ($k == 0) {
                make(group => 'ann') if !$kept;
                rule(qr/\{acme\}/, 'note');
                RoomsTest::HTTP::http_end(page(now_at(), 50));
                $n = noted();
                norule();
            }

            make(group => 'ann') if !$kept;

            my $since = now_at();

            rule(qr/\{acme\}/, 'hold', 1, $k);

            my $conn = page($since, $timeout);
            my $held = wait_for(0.5, sub { met() > $k });
            my $said = joins($room);

            release();

            my $res = RoomsTest::HTTP::http_end($conn, 20);
            my @seen = follows(RoomsTest::JSON::json_decode($res->[2])->{data});
            my @in = grep { $_->{room_id} eq $room } @seen;
            my %times;

            $times{$_->{id}}++ for @seen;
            norule();

            my @types = map { $_->{event_type} } @in;

            is_deeply([sort grep { $times{$_} != 1 } keys %times], [],
                      "none comes twice: $name" . ($held ? '' : ', waiting'));
            is(scalar(grep { $_->{id} eq $said } @in), 1,
               'what was said is seen') or diag(explain(\@types));
            is(scalar(grep { /member/ } @types), 2,
               'and that one was invited and joined')
                or diag(explain(\@types));
        }
    }
}

done_testing();
