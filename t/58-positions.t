# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Stores that lose what they were told: no position is given twice, an epoch
# says which store it is, and a schema that isn't known is left alone.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle event form manifest);
use RoomsTest::Calls;
use RoomsTest::Topology qw(redis_args redis_cli redis_end redis_server
                           topology_port);

start('', workers => 2);

sub counter { return redis('GET', key('position')) // 0 }
sub own     { return redis('HGET', key('tenant'), $_[0]) }

# What the clock makes of now.
sub floor_at { return int(($_[0] - 1577836800) * 1000 * 8) }

sub import_as {
    my ($who, @events) = @_;
    my ($body, $type) = form(bundle(manifest(events => \@events)));

    return must('POST', '/v1/rooms/import', $who, $body,
                'Content-Type' => $type);
}

# Positions are of the clock, and grow
my $began = time;

known(qw(ann bob));

my $room = make(group => 'ann');
my @sent = map { must('POST', "/v1/rooms/$room/send", 'ann',
                      { content => { n => $_ } })->{stream_position} } 1 .. 20;

cmp_ok($sent[0], '>=', floor_at($began - 1), 'not below the clock');
cmp_ok($sent[-1], '<', floor_at(time + 60), 'nor far above it');
is_deeply(\@sent, [sort { $a <=> $b } @sent], 'they grow');
is(scalar(keys %{{ map { $_ => 1 } @sent }}), 20, 'each is another');

# A counter that is ahead of the clock goes on by itself
my $ahead = floor_at(time + 3600);

redis('SET', key('position'), $ahead);
is(must('POST', "/v1/rooms/$room/send", 'ann', { content => {} })
   ->{stream_position}, $ahead + 1, 'a clock that is behind moves nothing');
is(redis('GET', key('position')), $ahead + 1, 'written in digits');

# A round number is one, too, and not 1.8e+12
redis('SET', key('position'), 1_799_999_999_999);

my $round = must('POST', "/v1/rooms/$room/send", 'ann', { content => {} });

is($round->{stream_position}, 1_800_000_000_000, 'a round position');
is(counter(), 1_800_000_000_000, 'is kept as it is');
is(call('GET', "/v1/rooms/$room", 'ann')->{data}{last_event_position},
   1_800_000_000_000, 'and known to its room');
is(redis('HGET', key("r:$room:own"), 'read ann'),
   "1800000000000 $round->{id} 22", 'everywhere');

# Emptied: another epoch, and no position again
my $epoch = own('epoch');

like($epoch, qr/\A[0-9a-f]{32}\z/, 'an epoch');
is(own('schema'), 1, 'a schema');

redis('SET', key('position'), floor_at(time));

my %given = map { $_ => 1 } @sent;
my $last = counter();

for my $round (1 .. 3) {
    redis('FLUSHALL');
    known(qw(ann bob));
    $room = make(group => 'ann');
    isnt(own('epoch'), $epoch, 'an emptied store has another epoch');
    $epoch = own('epoch');

    my $new = must('POST', "/v1/rooms/$room/send", 'ann', { content => {} });

    cmp_ok($new->{stream_position}, '>', $last, 'and later positions');
    $last = $new->{stream_position};
}

# An import takes its positions in the same way
redis('FLUSHALL');
known('ann');

my $imported = import_as('ann', map { event($_, "m $_") } 1 .. 5);
my @places = map { $_->{stream_position} } events($imported->{id}, 'ann');

is(scalar @places, 6, 'an import');
cmp_ok($places[0], '>', $last, 'is behind what was lost');
is($places[4] - $places[0], 4, 'in one piece');

# Reading makes no epoch of another: commits that fail don't, either
$epoch = own('epoch');
expect('404 SW_ROOM_NOT_FOUND', 'POST',
       '/v1/rooms/room-01000000000000000000000000/send', 'ann',
       { content => {} });
known(qw(cy dan));
is(own('epoch'), $epoch, 'it stays');

# Half of the pair is made whole, and the other half kept
redis('HDEL', key('tenant'), 'schema');
known('eve');
is(join(' ', own('schema'), own('epoch')), "1 $epoch",
   'what has no schema is of this one');

# Another schema: nothing is read or written
for my $schema ('0', '2', '11', 'x', '') {
    redis('HSET', key('tenant'), 'schema', $schema);

    my $before = redis('DBSIZE') . ' ' . counter();

    expect('503 SW_STORE_UNAVAILABLE', 'POST', '/v1/auth/register', 'new');
    expect('503 SW_STORE_UNAVAILABLE', 'GET', "/v1/rooms/$imported->{id}",
           "never-$schema-seen");
    expect('503 SW_STORE_UNAVAILABLE', 'POST', "/v1/rooms/$imported->{id}/send",
           'ann', { content => {} });
    is(redis('DBSIZE') . ' ' . counter(), $before, 'nothing was written');
    like(nginx_log(), qr/has schema "\Q$schema\E", this module supports only schema 1/,
         'the log says why');
}

redis('HSET', key('tenant'), 'schema', 1);
expect('201', 'POST', "/v1/rooms/$imported->{id}/send", 'ann',
       { content => {} });

# Who follows a store that loses its last writes: what exists afterwards is
# had, whatever became of the positions, and a reset says that something was
# lost.

# Everything behind a position, and whether there was a reset on the way.
sub catch_up {
    my ($who, $since, $epoch) = @_;
    my (@got, $reset, $page);

    do {
        $page = must('GET', "/v1/sync?timeout=0&since=$since"
                     . (defined $epoch ? "&epoch=$epoch" : ''), $who);
        $since = $page->{next_cursor};
        $reset //= $page->{reset};
        $epoch = $page->{epoch} if defined $epoch;
        push @got, @{$page->{events}};
    } while ($page->{has_more} || $page->{reset});

    return { events => \@got, since => $since, reset => $reset,
             epoch => $page->{epoch} };
}

sub say_some {
    my ($room, $n) = @_;

    return map { must('POST', "/v1/rooms/$room/send", 'ann',
                      { content => { n => $_ } })->{id} } 1 .. $n;
}

# A backup is restored while clients follow
tenant('backup');
known(qw(ann bob));
$room = make(group => 'ann');
admit($room, 'ann', 'bob');

my @kept = say_some($room, 5);

redis('SAVE');

my $kept = catch_up('bob', 0);

# of these the backup knows nothing, and clients do
my @lost = say_some($room, 30);
my $before = catch_up('bob', $kept->{since});

is(scalar @{$before->{events}}, 30, 'what will be lost was had');

# the process ends without writing anything
redis_stop();
redis_start();
ok(RoomsTest::Process::wait_for(20, sub {
       (call('GET', '/v1/sync?timeout=0', 'bob')->{status}) == 200
   }), 'a backup is restored');

is(redis('GET', key('position')), $kept->{since}, 'the counter is the old one');

my $first = catch_up('bob', $before->{since});

is($first->{reset}, 'ahead', 'a client that asks first is told');
is($first->{since}, $kept->{since}, 'and goes on from where the store is');

my @new = say_some($room, 7);

for my $from ($before->{since}, $first->{since}, $kept->{since}) {
    is_deeply([ids(@{catch_up('bob', $from)->{events}})], \@new,
              "from $from all is had that was sent since");
}

ok(!(grep { my $new = $_; grep { event_place($new) <= event_place($_) } @lost }
     @new), 'no position again');

# An operator says that it was restored
redis('HSET', key('tenant'), 'epoch', 'by-hand');
is(catch_up('bob', $before->{since}, $before->{epoch})->{reset}, 'epoch',
   'another epoch');

# Emptied while one waits
sub poll {
    my ($since) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";

    if ($pid == 0) {
        my $res = call('GET', "/v1/sync?since=$since&timeout=60000", 'bob');

        print $res->{body};
        close STDOUT;
        POSIX::_exit(0);
    }

    return $out;
}

my $out = poll(catch_up('bob', 0)->{since});

sleep 0.5;
redis('FLUSHALL');

my $told = JSON::PP::decode_json(join '', <$out>)->{data};

is($told->{reset}, 'epoch', 'one that waits is told of an emptied store');
is($told->{next_cursor}, '0', 'and begins again');
known(qw(ann bob));
$room = make(group => 'ann');
admit($room, 'ann', 'bob');
@new = say_some($room, 3);

for my $from ($told->{next_cursor}, $before->{since}) {
    is_deeply([(ids(@{catch_up('bob', $from)->{events}}))[-3 .. -1]], \@new,
              "what the new store has, from $from");
}

is(catch_up('bob', $before->{since}, $before->{epoch})->{reset}, 'epoch',
   'and with its epoch a client knows that it is new');

# A replica takes over that was behind
stop_nginx();

my ($primary, $replica) = map { topology_port() } 1, 2;

redis_server($primary, redis_args($primary));
redis_server($replica, redis_args($replica, '--replicaof', '127.0.0.1',
                                  $primary));
run_nginx(<<"END", workers => 2);
    rooms on;
    rooms_auth mock;
    rooms_redis redis://127.0.0.1:$primary/0;
END
tenant('stale');
known(qw(ann bob));
$room = make(group => 'ann');
admit($room, 'ann', 'bob');
@kept = say_some($room, 3);

my $cut = catch_up('bob', 0);

ok(RoomsTest::Process::wait_for(20, sub {
       redis_cli($replica, 'GET', key('position')) eq $cut->{since}
   }), 'a replica');
redis_cli($replica, 'REPLICAOF', 'NO', 'ONE');
@lost = say_some($room, 20);
$before = catch_up('bob', $cut->{since});
is(scalar @{$before->{events}}, 20, 'what it does not know of');
redis_end($primary);
run_nginx(<<"END", workers => 2);
    rooms on;
    rooms_auth mock;
    rooms_redis redis://127.0.0.1:$replica/0;
END
@new = say_some($room, 5);
is_deeply([ids(@{catch_up('bob', $before->{since})->{events}})], \@new,
          'who had more than it has skips nothing of what comes');
is_deeply([ids(@{catch_up('bob', $cut->{since})->{events}})], \@new,
          'nor does who had as much');

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alert');
stop_nginx();

done_testing();
