# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# roomsctl: its commands, the stores that it reaches, what it keeps secret; and
# verify while the tenant is in use.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(find_program slurp write_file);
use RoomsTest::Roomsctl;
use RoomsTest::Topology qw(cluster_start redis_args redis_cli redis_end
                           redis_server sentinels_start slowly
                           topology_end topology_port);

plan skip_all => 'missing: ' . roomsctl_missing() if roomsctl_missing();

my $dir = File::Temp->newdir('rooms-ctl-XXXXXXXX', TMPDIR => 1);
my $port = start('', workers => 2);

tenant('acme');

# told($status, $regex, $name, @arguments)
sub told {
    my ($want, $regex, $name, @arguments) = @_;
    my $text = roomsctl(@arguments);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    like($text, $regex, $name);
    is(roomsctl_status(), $want, "$name: status $want");

    return $text;
}


# Usage

told(0, qr/^Usage: roomsctl /, 'help', '--help');
told(2, qr/which command/, 'no command');
told(2, qr/no command "sleep"/, 'an unknown one', 'sleep');
told(2, qr/no command "room paint"/, 'an unknown second word',
     'room', 'paint');
told(2, qr/no option -x/, 'an unknown option', '-x');
told(2, qr/"mysql" is no kind of store/, 'another store', '-u',
     'mysql://127.0.0.1', 'doctor');
told(2, qr/no braces/, 'a prefix with braces', '-p', 's{w', 'verify', 'acme');


# doctor

redis('CONFIG', 'SET', 'appendonly', 'yes');
known('ann');
told(0, qr/^tenants: 1\nnothing to worry about$/m, 'a good store', 'doctor');
told(0, qr/zset-max-ziplist-value is 64\b/, 'a hint about memory', 'doctor');
redis('CONFIG', 'SET', 'zset-max-ziplist-value', 512);
unlike(told(0, qr/hash-max-ziplist-entries is 512\b/, 'and one about time',
            'doctor'), qr/zset/, 'which is followed: so there is none');
redis('CONFIG', 'SET', 'hash-max-ziplist-entries', 64);
unlike(told(0, qr/nothing to worry about/, 'the other one, too', 'doctor'),
       qr/hash/, 'none is left');
redis('CONFIG', 'SET', 'appendonly', 'no');
redis('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
redis('HSET', 'sw:{old}:tenant', 'schema', '0');

my $text = told(1, qr/no AOF/, 'without AOF', 'doctor');

like($text, qr/maxmemory-policy is allkeys-lru/, 'that forgets');
like($text, qr/^sw:\{old\}:tenant has schema "0"/m, 'with another schema');
redis('DEL', 'sw:{old}:tenant');
redis('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
redis('REPLICAOF', '127.0.0.1', 1);
redis('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
told(1, qr/is a replica, and read-only/, 'a replica', 'doctor');
redis('REPLICAOF', 'NO', 'ONE');
redis('CONFIG', 'SET', 'appendonly', 'yes');

# a provider that hides INFO and CONFIG
redis('ACL', 'SETUSER', 'hides', 'on', '>p@ss w%rd', '~*', '&*', '+@all',
      '-info', '-config');
{
    local $ENV{ROOMS_REDIS} = "redis://hides:p%40ss%20w%25rd\@127.0.0.1:"
                              . redis_port() . '/0';

    told(0, qr/hides INFO.*hides maxmemory-policy/s, 'what is hidden is none',
         'doctor');
    told(0, qr/nothing differs/, 'a user and a password', 'verify', 'acme');
}


# a user who may not search
redis('ACL', 'SETUSER', 'blind', 'on', '>pass', '~*', '&*', '+@all', '-scan');
{
    local $ENV{ROOMS_REDIS} = 'redis://blind:pass@127.0.0.1:' . redis_port()
                              . '/0';

    told(2, qr/can't be scanned/, 'no search', @$_)
        for ['doctor'], ['verify', 'acme'], ['restored', '--all'];
}


# a store that fails in the middle, or refuses what would mend it
my $cli = find_program('redis-cli');

mkdir "$dir/failing";
for my $case (['count.lua', 2, 'counting media', 'verify', 'acme'],
              ['hincrby', 2, 'mending', 'verify', '--fix', 'acme'],
              ['hset', 2, 'a limit', 'tenant', 'set', 'acme', 'max_rooms=3'])
{
    my ($what, $status, $name, @arguments) = @$case;

    write_file("$dir/failing/redis-cli", <<"END");
#!/bin/sh
case "\$*" in
*$what*) echo 'READONLY from the test' ;;
*) exec $cli "\$@" ;;
esac
END
    chmod 0755, "$dir/failing/redis-cli";
    redis('HINCRBY', key('tenant'), 'rooms', 1) if $name eq 'mending';

    local $ENV{PATH} = "$dir/failing:$ENV{PATH}";

    unlike(told($status, qr/READONLY from the test/, "it fails: $name",
                @arguments), qr/nothing differs/, '... and says so');
}

redis('HINCRBY', key('tenant'), 'rooms', -1);


# tenant

told(0, qr/^$/, 'limits', 'tenant', 'set', 'acme', 'max_rooms=3',
     'max_participants=7');
is_deeply(redis('HMGET', key('tenant'), 'max_rooms', 'max_participants'),
          [3, 7], 'are set');
told(0, qr/^max_rooms=3$/m, 'and shown', 'tenant', 'show', 'acme');
told(0, qr/^$/, 'one is taken away', 'tenant', 'set', 'acme', 'max_rooms=');
is(redis('HGET', key('tenant'), 'max_rooms'), undef, 'it is gone');
told(2, qr/"1x" is no number/, 'no number', 'tenant', 'set', 'acme',
     'max_rooms=1', 'max_participants=1x');
is(redis('HGET', key('tenant'), 'max_rooms'), undef, 'nothing of it is set');
told(2, qr/"rooms" can't be set/, 'a counter', 'tenant', 'set', 'acme',
     'rooms=5');
told(2, qr/"max_cats" can't be set/, 'a limit that nothing holds', 'tenant',
     'set', 'acme', 'max_cats=5');
told(2, qr/"acme}x" can't be a tenant/, 'no tenant', 'tenant', 'set',
     'acme}x', 'max_rooms=5');
told(0, qr/^$/, 'registered', 'tenant', 'set', 'new', 'registered=1');
is(redis('HGET', 'sw:{new}:tenant', 'registered'), 1, 'a new tenant');
told(0, qr/^$/, 'another prefix', '-p', 'x*[1]', 'tenant', 'set', 'new',
     'registered=1');
is(redis('HGET', 'x*[1]:{new}:tenant', 'registered'), 1, 'is taken as it is');
redis('HSET', 'x*[1]:{new}:tenant', 'schema', 1);
told(0, qr/^tenant new: epoch \w{32}\n\z/, '... where tenants are searched, too',
     '-p', 'x*[1]', 'restored', '--all');
told(0, qr/^tenants: 1$/m, '... and counted', '-p', 'x*[1]', 'doctor');
redis('DEL', 'sw:{new}:tenant', 'x*[1]:{new}:tenant');


# federation key

like(roomsctl('federation', 'key'), qr{^[A-Za-z0-9+/]{43}=$}, 'a key');
isnt(roomsctl('federation', 'key'), roomsctl('federation', 'key'), 'a new one');
told(0, qr/^$/, 'into a file', 'federation', 'key', "$dir/key");
like(slurp("$dir/key"), qr{^[A-Za-z0-9+/]{43}=\n\z}, 'the same form');
is((stat "$dir/key")[2] & 0777, 0600, 'which nobody else reads');
told(2, qr/is there already/, 'a file that is there', 'federation', 'key',
     "$dir/key");


# rooms, through the API

sub put {
    my ($name, $content) = @_;

    open my $out, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $out $content;
    close $out;

    return "$dir/$name";
}

my @api = ('-s', "http://127.0.0.1:$port", '-t', put('token', token('ann')));
my $room = make(group => 'ann', name => 'To export');

must('POST', "/v1/rooms/$room/send", 'ann', { content => { body => 'hi' } });
told(0, qr/^$/, 'export', @api, 'room', 'export', 'acme', $room, "$dir/a.zip");
like(slurp("$dir/a.zip"), qr/^PK/, 'a bundle');
told(2, qr/is there already/, 'never over a file', @api, 'room', 'export',
     'acme', $room, "$dir/a.zip");
told(2, qr/404.*SW_ROOM_NOT_FOUND/, 'no such room', @api, 'room', 'export',
     'acme', 'room-01000000000000000000000000', "$dir/b.zip");
ok(!-e "$dir/b.zip" && !-e "$dir/b.zip.part", 'no file is left');
told(0, qr/^room-\w+$/, 'import', @api, 'room', 'import', 'acme',
     "$dir/a.zip");
told(2, qr/SW_BUNDLE_INVALID/, 'no bundle', @api, 'room', 'import', 'acme',
     put('c.zip', 'rubbish'));
told(2, qr/token is of tenant "acme", not of "east"/, 'of another tenant',
     @api, 'room', 'import', 'east', "$dir/a.zip");
told(2, qr/has to name a file/, 'without a token', @api[0, 1], 'room',
     'export', 'acme', $room, "$dir/d.zip");
told(2, qr/127\.0\.0\.1:1: /, 'no server', '-s', 'http://127.0.0.1:1',
     @api[2, 3], 'room', 'export', 'acme', $room, "$dir/d.zip");


# participants, as an administrator

my @root = (@api[0, 1], '-t', put('root', token('root!')));

known('zed');
must('POST', "/v1/rooms/$room/invite", 'ann', { participant_id => 'zed' });
told(2, qr/403.*SW_AUTH_INSUFFICIENT_PERMISSION/, 'no administrator', @api,
     'participant', 'deactivate', 'acme', 'zed');
told(2, qr/409.*SW_PARTICIPANT_ACTIVE/, 'who is active', @root, 'participant',
     'erase', 'acme', 'zed');
told(0, qr/^$/, 'deactivate', @root, 'participant', 'deactivate', 'acme',
     'zed');
ok(RoomsTest::Process::wait_for(60, sub {
    (call('GET', '/v1/rooms/archived', 'zed')->{code} // '')
    eq 'SW_PARTICIPANT_DEACTIVATED';
}), 'it is, in each worker within a minute');
told(0, qr/^$/, 'reactivate', @root, 'participant', 'reactivate', 'acme',
     'zed');
told(0, qr/^$/, 'again', @root, 'participant', 'deactivate', 'acme', 'zed');
told(0, qr/^$/, 'erase waits', @root, 'participant', 'erase', 'acme', 'zed');
is(call('GET', '/v1/admin/participants/zed/erasure', 'root!')->{data}{state},
   'done', 'until it is done');
told(2, qr/404.*SW_PARTICIPANT_NOT_FOUND/, 'nobody', @root, 'participant',
     'deactivate', 'acme', 'a b/c');


# Nothing secret is an argument

mkdir "$dir/$_" or die $! for qw(bin tmp);

for my $name (qw(curl redis-cli)) {
    my $real = find_program($name);

    chmod 0755, put("bin/$name", <<"END");
#!/bin/sh
printf '%s\\n' "\$@" >>$dir/arguments
exec $real "\$@"
END
}

{
    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    local $ENV{TMPDIR} = "$dir/tmp";
    local $ENV{ROOMS_REDIS} = "redis://hides:p%40ss%20w%25rd\@127.0.0.1:"
                              . redis_port() . '/0';

    roomsctl('verify', 'acme');
    is(roomsctl_status(), 0, 'with a password');
    roomsctl(@api, 'room', 'export', 'acme', $room, "$dir/e.zip");
    is(roomsctl_status(), 0, 'with a token');
}

my $arguments = slurp("$dir/arguments");

like($arguments, qr/^--eval$/m, 'what redis-cli was told');
like($arguments, qr/export$/m, 'and curl');
unlike($arguments, qr/p\@ss|p%40ss|mock:/, 'neither password nor token');
is(join(' ', glob "$dir/tmp/*"), '', 'no file is left');


# Other ways to a store

{
    local $ENV{ROOMS_REDIS} = "redis+unix://$ENV{TEST_NGINX_REDIS_SOCK}?db=0";

    told(0, qr/nothing differs/, 'a Unix socket', 'verify', 'acme');
    $ENV{ROOMS_REDIS} =~ s/db=0/db=1/;
    told(2, qr/no tenant "acme"/, 'another database', 'verify', 'acme');
}


# While it is in use: everything happens, and nothing differs

my @rooms = map { make(public => 'ann', name => "Busy $_") } 1 .. 3;
my $until = time + 3;
my @users;

known(map { "user$_" } 1 .. 6);

for my $me (1 .. 3) {
    my $pid = fork // die "fork: $!\n";

    if ($pid) {
        push @users, $pid;
        next;
    }

    srand $me;

    my @said;
    my $who = sub { 'user' . (1 + int rand 6) };

    while (!-e "$dir/enough") {
        my $r = $rooms[rand @rooms];
        my $u = $who->();
        my @calls = (
            ['POST', "/v1/rooms/$r/join", $u, {}],
            ['POST', "/v1/rooms/$r/leave", $u, {}],
            ['POST', "/v1/rooms/$r/send", $u, { content => { body => 'x' } }],
            ['POST', "/v1/rooms/$r/invite", 'ann',
             { participant_id => $who->() }],
            ['POST', "/v1/rooms/$r/ban", 'ann', { participant_id => $u }],
            ['POST', "/v1/rooms/$r/unban", 'ann', { participant_id => $u }],
            ['PUT', "/v1/rooms/$r/members/$u/power-level", 'ann',
             { power_level => 100 * int rand 2 }],
            ['POST', '/v1/rooms', $u, { room_type => 'public',
                                        name => 'r' . int rand 5 }],
            ['POST', '/v1/rooms/dm', $u, { participant_id => $who->() }],
        );

        push @calls, map { ['POST', "/v1/rooms/$_->[0]/$_->[1]", $_->[2],
                            $_->[3]] }
            ([$said[-1][0], "events/$said[-1][1]/reaction", $u,
              { emoji => ('+', 'o')[rand 2] }],
             [$said[0][0], "events/$said[0][1]/edit", $u,
              { content => { body => 'y' } }],
             [$said[-1][0], 'close', $u, {}]) if @said;
        push @calls, ['PUT', "/v1/rooms/$said[-1][0]/read", $u,
                      { event_id => $said[-1][1] }] if @said;

        for my $res (many(4, map { $calls[rand @calls] } 1 .. 4)) {
            my $data = $res->{data};

            push @said, [$data->{room_id}, $data->{id}]
                if $res->{status} == 201 && ($data->{event_type} // '')
                                            eq 'swp.room.message';
        }

        select undef, undef, undef, 0.05;
    }

    POSIX::_exit(0);
}

my ($looks, @differs) = (0);

while (time < $until || $looks < 3) {
    my $text = roomsctl('verify', 'acme');

    push @differs, $text if roomsctl_status() != 0;
    $looks++;
}

is(join('', @differs), '', "$looks looks at a busy tenant: nothing differs");

# counters are damaged and mended while they move
for my $round (1, 2) {
    redis('HINCRBY', key('tenant'), 'rooms', 100);
    redis('HINCRBY', key("r:$rooms[0]"), 'joined', 100);
    redis('HINCRBY', key("r:$rooms[1]"), 'invited', 100);
    redis('ZADD', key("r:$rooms[2]:list"), 0, 'ghost');

    my $text = roomsctl('verify', '--fix', 'acme');

    is(roomsctl_status(), 1, 'found while it is in use');
    like($text, qr/^tenant has rooms = .* \(mended\)$/m, 'rooms');
    like($text, qr/^room $rooms[0] has joined = .* \(mended\)$/m, 'joined');
    like($text, qr/^room $rooms[1] has invited = .* \(mended\)$/m, 'invited');
    like($text, qr/^room $rooms[2]: list lists ghost \(mended\)$/m, 'a list');
    is(scalar(() = $text =~ /\n/g), 4, 'and nothing else') || diag($text);
}

is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'mended, though it moves');

put('enough', '');
waitpid $_, 0 for @users;
is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'the end of it');
verify_room($_) for @rooms;


# A cluster, and sentinels

stop_nginx();

my @nodes = cluster_start();

run_nginx(<<"CONF");
    rooms on;
    rooms_auth mock;
    rooms_redis redis-cluster://127.0.0.1:$nodes[0];
CONF

$room = make(group => 'ann', name => 'In a cluster');

{
    local $ENV{ROOMS_REDIS} = "redis-cluster://127.0.0.1:1,"
                              . "127.0.0.1:$nodes[2]";

    told(0, qr/nothing differs/, 'a cluster', 'verify', 'acme');
    redis_cli($nodes[0], '-c', 'HINCRBY', key("r:$room"), 'joined', 2);
    told(1, qr/joined = 3 instead of 1 \(mended\)/, 'is mended', 'verify',
         '--fix', 'acme');
    told(0, qr/nothing differs/, 'for good', 'verify', 'acme');
    told(0, qr/^tenant acme: epoch \w{32}$/, 'all its tenants', 'restored',
         '--all');
    told(1, qr/no AOF/, 'its nodes', 'doctor');
}

stop_nginx();
redis_end($_) for @nodes;

# a cluster of one, which nobody has told its address
my $alone = topology_port();

redis_server($alone, redis_args($alone, '--cluster-enabled', 'yes'));
redis_cli($alone, 'CLUSTER', 'ADDSLOTS', 0 .. 16383);
{
    my $up = sub { redis_cli($alone, 'CLUSTER', 'INFO') =~ /state:ok/ };

    ok(slowly(20, $up), 'a cluster of one node');
    redis_cli($alone, 'HSET', key('tenant'), 'schema', 1);

    local $ENV{ROOMS_REDIS} = "redis-cluster://localhost:$alone";

    told(0, qr/^tenant acme: epoch \w{32}$/, 'its tenants', 'restored',
         '--all');
    told(1, qr/^localhost:$alone: no AOF/m, 'its node', 'doctor');
    told(0, qr/nothing differs/, 'and one tenant', 'verify', 'acme');
}
redis_end($alone);

my ($primary, $replica, @sentinels) = sentinels_start();

redis_cli($primary, 'HSET', key('tenant'), 'schema', 1);

{
    local $ENV{ROOMS_REDIS} = 'redis-sentinel://127.0.0.1:1,127.0.0.1:'
                              . "$sentinels[1]/main";

    told(0, qr/nothing differs/, 'sentinels', 'verify', 'acme');
    $ENV{ROOMS_REDIS} =~ s/main/other/;
    told(2, qr/no sentinel knows "other"/, 'of another', 'verify', 'acme');
}

topology_end();

done_testing();
