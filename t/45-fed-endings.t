# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Federation ends, of a room or with a server: who was there from elsewhere
# leaves, and each by an event.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(answer);
use RoomsTest::Row;
use RoomsTest::Signer;

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my ($x, $y) = map { "127.0.0.1:$_" } free_port(), free_port();

RoomsTest::Signer::write_file("$dir/a.key", encode_base64('a' x 32, ''));
chmod 0640, "$dir/a.key";

my $config = <<"END";
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant t1;
        rooms_federation on;
        rooms_federation_key $dir/a.key;
        rooms_federation_allow_private on;
        location = /_rooms_peer {
            internal;
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
            proxy_method \$rooms_peer_method;
        }
END

run_nginx($config, workers => 2);

my ($admin, $ann) = ('mock:root@t1:admin', 'mock:ann@t1');

sub call {
    my ($method, $path, $token, $body) = @_;

    return answer(http_req($method, $path, $token, $body));
}

sub key { "sw:{t1}:$_[0]" }

sub all {
    my @all = @_;

    return map { ref $_ ? @$_ : $_ } grep { defined } @all;
}

sub policy { call('PUT', '/v1/admin/federation/policy', $admin, $_[0]) }

sub room {
    my ($name) = @_;
    my $room = call('POST', '/v1/rooms', $ann,
                    { room_type => 'group', name => $name })->{data}{id};

    call('PUT', "/v1/admin/rooms/$room/federate", $admin, { enabled => \1 });

    return $room;
}

# As the store would have it after invites and joins.
sub foreign {
    my ($room, $fqid, $membership, $power) = @_;
    my ($local, $server) = $fqid =~ /\A\@([^:]+):(.+)\z/;
    my $r = key("r:$room");
    my %n = map { split /=/ } split / /, redis('HGET', $r, 'peers') // '';

    redis('HSET', key('participants'), $fqid,
          $json->encode({ local_id => $local, display_name => $local,
                          workspace_id => undef, participant_type => 'user',
                          server_name => $server, avatar_url => undef,
                          created_at => '2026-01-01T00:00:00.000Z' }));
    $power //= 0;

    if ($membership eq 'ban') {
        redis('HSET', "$r:members", $fqid, 'ban 0 0 0');
        redis('ZADD', "$r:bans", 0, $fqid);
        return;
    }

    redis('ZADD', "$r:list", 0, $fqid);
    redis('ZADD', key("p:$fqid:rooms"), 0, $room);

    if ($membership eq 'join') {
        my $at = redis('INCR', key('position'));

        redis('HSET', "$r:members", $fqid, "join $power 1700000000000 $at");
        redis('ZADD', "$r:order", ($power + 1) * 2 ** 44 - $at, $fqid);
        redis('HINCRBY', $r, 'joined', 1);
        redis('HINCRBY', $r, 'admins', 1) if $power == 100;

    } else {
        redis('HSET', "$r:members", $fqid, 'invite 0 0 0');
        redis('HINCRBY', $r, 'invited', 1);
    }

    $n{$server}++;
    redis('HSET', $r, 'peers', join ' ', map { "$_=$n{$_}" } sort keys %n);
    redis('ZADD', key("peers:$server:rooms"), 0, $room);
    redis('ZADD', key('peers:servers'), 0, $server);
}

sub ends {
    my ($room, $what, $within) = @_;

    return ok(RoomsTest::Process::wait_for($within // 15, sub {
                  !redis('HEXISTS', key("r:$room"), 'peers')
                  && !redis('ZCARD', key('endings')) }), $what);
}

sub members {
    return join ' ', sort map { $_->{participant_id} }
                     @{call('GET', "/v1/rooms/$_[0]/members", $ann)->{data}};
}

# The events by which somebody left.
sub left {
    my ($room) = @_;

    return grep { $_->{event_type} eq 'swp.room.member'
                  && ($_->{content}{reason} // '') eq 'federation has ended' }
           map { row_event($_) }
           all(redis('ZRANGE', key("r:$room:events"), 0, -1));
}

call('POST', '/v1/auth/register', $ann);
call('POST', '/v1/auth/register', $admin);
policy({ default_mode => 'open' });

# A room that is no longer federated

my $room = room('Shared');

foreign($room, "\@bob:$x", 'join', 100);
foreign($room, "\@eve:$x", 'invite');
foreign($room, "\@carl:$y", 'join');
foreign($room, "\@evil:$y", 'ban');

my $res = call('PUT', "/v1/admin/rooms/$room/federate", $admin,
               { enabled => \0 });

is("$res->{status} $res->{data}{federated}", '200 0', 'switched off');
ends($room, 'participants of other servers leave');
is(members($room), 'ann', 'all of them');

my @left = left($room);

is(join(' ', sort map { $_->{content}{participant_id} } @left),
   join(' ', sort "\@bob:$x", "\@carl:$y", "\@eve:$x"),
   'each by an event');
is(join(' ', map { $_->{sender_id} } @left), 'root root root',
   'of who has ended it');

my ($bob) = grep { $_->{content}{participant_id} =~ /bob/ } @left;

is("$bob->{content}{membership} $bob->{content}{previous}", 'leave join',
   'which says what it was');
is(redis('HGET', key("r:$room:members"), "\@evil:$y"), 'ban 0 0 0',
   'a ban stays');
is(redis('ZCARD', key("peers:$x:rooms")), 0, 'the server is in no room');
is(redis('HMGET', key("r:$room"), qw(joined invited admins))->[0], 1,
   'counts are right');

my @waiting = all(redis('ZRANGE', key("outbox:$x"), 0, -1));
is(scalar(grep { /\Ae \Q$room\E / } @waiting), 1,
   'its server is told that, and no more');

# The only admin was of the other server

$room = room('Theirs');
foreign($room, "\@bob:$x", 'join', 100);
redis('HSET', key("r:$room:members"), 'ann', redis('HGET',
      key("r:$room:members"), 'ann') =~ s/\Ajoin 100/join 0/r);
redis('ZADD', key("r:$room:order"), 2 ** 44 - 1, 'ann');
redis('HINCRBY', key("r:$room"), 'admins', -1);
call('PUT', "/v1/admin/rooms/$room/federate", $admin, { enabled => \0 });
ends($room, 'an admin leaves');
is(call('GET', "/v1/rooms/$room", $ann)->{data}{me}{power_level}, 100,
   'and somebody of ours takes over');
@left = left($room);
is($left[0]{content}{successor}{participant_id}, 'ann', 'as the event says');

# Nobody of ours is there

$room = room('Empty');
foreign($room, "\@bob:$x", 'join');
call('POST', "/v1/rooms/$room/leave", $ann);
call('PUT', "/v1/admin/rooms/$room/federate", $admin, { enabled => \0 });
ends($room, 'the last one leaves');
is(redis('HGET', key("r:$room"), 'state'), 'archived',
   'and the room is archived');

# Many, with workers that are killed meanwhile

$room = room('Many');
foreign($room, "\@m$_:" . ($_ % 2 ? $x : $y), 'join') for 1 .. 300;
call('PUT', "/v1/admin/rooms/$room/federate", $admin, { enabled => \0 });

my $kills = 0;

for (1 .. 6) {
    select undef, undef, undef, 0.15;
    last if !redis('HEXISTS', key("r:$room"), 'peers');

    my @pids = split ' ', qx(ps -o pid= --ppid @{[ nginx_pid() ]});

    kill 'KILL', @pids;
    $kills++;
}

ends($room, "many leave, whoever is killed ($kills)", 60);
is(scalar(left($room)), 300, 'each by one event');
is(members($room), 'ann', 'and nobody is left');
is(redis('HGET', key("r:$room"), 'joined'), 1, 'nor counted');

# Peers that are taken off the policy

policy({ default_mode => 'allowlist',
         allowed_peers => ['a.example', $x, $y] });

my ($one, $two) = (room('One'), room('Two'));

foreign($one, "\@bob:$x", 'join');
foreign($one, "\@carl:$y", 'join');
foreign($two, "\@bob:$x", 'invite');
call('POST', "/v1/rooms/$two/archive", $ann);
policy({ default_mode => 'allowlist', allowed_peers => ['a.example', $y] });

ok(RoomsTest::Process::wait_for(15, sub {
       !redis('ZCARD', key("peers:$x:rooms")) }),
   'who is off the policy leaves all rooms');
is(members($one), "\@carl:$y ann", 'others stay');
is(members($two), 'ann', 'archived rooms, too');
is(call('GET', "/v1/rooms/$one", $ann)->{data}{federated}, 1,
   'the room is federated still');
is(join(' ', map { $_->{sender_id} } left($one)), 'root',
   'by the word of who has put the policy');
ok(RoomsTest::Process::wait_for(15, sub {
       !defined redis('ZSCORE', key('peers:servers'), $x) }),
   'and the server is forgotten');

# By another node

redis('HSET', key('federation'), 'policy', $json->encode({
          default_mode => 'allowlist', allowed_peers => ['a.example'],
          max_foreign_participants_per_room => 100 }), 'admin', 'o:boss');
ends($one, 'a policy that another node has put');
is(join(' ', sort map { $_->{sender_id} } left($one)), 'o:boss root',
   'says who did');

# A room that is at home elsewhere

sub replica {
    my ($room, $origin) = @_;

    redis('HSET', key("r:$room"), 'origin', $origin, 'meta',
          "group - 0 0 1700000000000 \@bob:$origin");

    return $room;
}

policy({ default_mode => 'open' });
$room = replica(room('Replica'), $x);
foreign($room, "\@bob:$x", 'join', 100);
foreign($room, "\@carl:$y", 'join');
policy({ default_mode => 'allowlist', allowed_peers => ['a.example', $x] });
select undef, undef, undef, 2;
is(members($room), "\@bob:$x \@carl:$y ann",
   'who else is there is for its own server to say');
policy({ default_mode => 'allowlist', allowed_peers => ['a.example', $y] });
ends($room, 'when that one is off, all others leave');
is(members($room), 'ann', 'but ours');

my $now = call('GET', "/v1/rooms/$room", $ann)->{data};

is("$now->{federated} $now->{state}", '0 open',
   'and the room goes on by itself');
is(redis('HGET', key("r:$room"), 'origin'), $x, 'where it came from stays');
is(call('POST', "/v1/rooms/$room/send", $ann,
        { content => { body => 'alone' } })->{status}, 201,
   'messages can be sent');

policy({ default_mode => 'open' });
$room = replica(room('Told'), $x);
foreign($room, "\@bob:$x", 'join');
foreign($room, "\@carl:$y", 'join');
redis('HDEL', key("r:$room"), 'federated');
redis('ZADD', key('endings'), 1, "$room $x \@bob:$x",
      1, "$room $y \@bob:$x");
ends($room, 'when it says that federation has ended, all leave, too');
is(join(' ', map { $_->{sender_id} } left($room)), "\@bob:$x \@bob:$x",
   'by its word');

# A server that leaves by itself

$room = room('Leaving');
foreign($room, "\@bob:$x", 'join');
foreign($room, "\@carl:$y", 'join');

# rows that are missing or can't be read keep nobody else here

redis('ZADD', key("r:$room:list"), 0, "\@abb:$x", 0, "\@abe:$x");
redis('HSET', key("r:$room:members"), "\@abe:$x", 'garbage');
redis('ZADD', key('endings'), 1, "$room $x \@bob:$x");
ok(RoomsTest::Process::wait_for(15, sub { !redis('ZCARD', key('endings')) }),
   'a server that has left');
is(members($room), "\@carl:$y ann", 'takes its participants along');

# One that had no such room at some position: who came later stays

$room = room('Lost');
foreign($room, "\@z$_:$x", 'join') for 1 .. 2;

my $at = redis('GET', key('position'));

foreign($room, "\@n$_:$x", 'join') for 1 .. 620;
foreign($room, "\@zz:$x", 'invite');
redis('HSET', key("r:$room:members"), "\@z2:$x",
      'join 0 1700000000000 ' . ($at + 1));
redis('ZADD', key('endings'), 1, "$room $x \@:$x $at");
ok(RoomsTest::Process::wait_for(15, sub { !redis('ZCARD', key('endings')) }),
   'a server that had no such room');
is(redis('HGET', key("r:$room"), 'joined'), 622, 'has lost those of before');
is(join(' ', map { $_->{sender_id} } left($room)), "\@z1:$x \@zz:$x",
   'who leave of themselves');
is(redis('HGET', key("r:$room"), 'peers'), "$x=621",
   'and not those who came later');
call('PUT', "/v1/admin/rooms/$room/federate", $admin, { enabled => \0 });
ends($room, 'who leave with federation', 60);

$room = room('Leaving');
foreign($room, "\@carl:$y", 'join');

# What doesn't end

redis('ZADD', key('endings'), 1, "$room $y root", 1, 'junk', 1, '',
      1, "room-1 $y root", 1, "room-" . 'Z' x 26 . " $y root",
      1, "$room a/b root", 1, "$room $y");
ok(RoomsTest::Process::wait_for(15, sub { !redis('ZCARD', key('endings')) }),
   'endings that are none are dropped');
is(members($room), "\@carl:$y ann",
   'in a room that is federated again nobody leaves');

redis('HSET', key("r:$room"), 'peers', "$x=7 $y=1");
redis('ZADD', key('endings'), 1, "$room $x \@bob:$x");
ok(RoomsTest::Process::wait_for(15, sub { !redis('ZCARD', key('endings')) }),
   'one whose participants are not found, too');

# One who is behind thousands of others; one in the list, but with no row

redis('HDEL', key("r:$room"), 'peers');
$room = room('Crowd');
foreign($room, "\@zoe:$x", 'join');
redis('ZADD', key("r:$room:list"),
      map { (0, sprintf '@m%05d:z.example', $_) } 1 .. 4000);
redis('HSET', key("r:$room"), 'peers',
      redis('HGET', key("r:$room"), 'peers') . ' z.example=4000');
redis('ZADD', key('endings'), 1, "$room $x \@zoe:$x");
ok(RoomsTest::Process::wait_for(15, sub { !redis('ZCARD', key('endings')) }),
   'one who is behind thousands of others');
is(redis('HGET', key("r:$room"), 'peers'), 'z.example=4000', 'leaves');

redis('ZADD', key("r:$room:list"), 0, "\@aa:$y");
redis('HSET', key("r:$room"), 'peers', "$y=1 z.example=4000");
redis('ZADD', key('endings'), 1, "$room $y \@aa:$y");
ok(RoomsTest::Process::wait_for(15, sub { !redis('ZCARD', key('endings')) }),
   'one who is listed, but is no member, holds nothing up');
redis('DEL', map { key("r:$room$_") } '', ':list', ':members');

# Where those who were invited are allowed by that, who was on the list and no
# longer is leaves all the same; who never was stays.

policy({ allowed_peers => [$x] });

my $open = room('Invited');

foreign($open, "\@bob:$x", 'join');
foreign($open, '@zed:z.example', 'join');
policy({});
ok(RoomsTest::Process::wait_for(15, sub { members($open) !~ /bob/ }),
   'who is taken off the list leaves');
like(members($open), qr/zed/, 'who was invited stays');
unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\](?!.*exited on signal 9)/,
       'nothing leaks');

stop_nginx();

done_testing();
