# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What was read must still be so when it is written.  Here two requests have
# both read when the first of them writes: the second is answered as if it
# had come afterwards.  Redis is told to hold writes back meanwhile; two
# servers of one nginx have connections of their own, so that one does not
# wait behind the other.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

eval { redis('CLIENT', 'PAUSE', 1, 'WRITE'); 1 }
    or plan skip_all => 'this redis-server holds back no writes';

my $port = free_port();

start('', port => $port, http => <<"END");
    server {
        listen 127.0.0.1:$port;
        server_name second;
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis+unix://\$TEST_NGINX_REDIS_SOCK;
        rooms_redis_timeout 20s;
    }
END

sub later {
    my ($host, $method, $path, $who, $body, %headers) = @_;

    return http_begin($method, $path, token($who), $body, %headers,
                      Host => $host);
}

sub finish {
    my ($sock) = @_;
    my $text = do { local $/; <$sock> };
    my ($head, $body) = split /\r\n\r\n/, $text // '', 2;
    my ($status) = ($head // '') =~ m{\AHTTP/1\.1 (\d+)};

    return { status => $status // 0, body => $body // '' };
}

# How many connections wait with a script.
sub held {
    return scalar grep { /\bflags=\S*b/ && /\bcmd=eval/ }
           split /\n/, redis('CLIENT', 'LIST');
}

sub held_are {
    my ($n) = @_;
    my $until = time() + 10;

    sleep 0.005 while held() < $n && time() < $until;

    return held() == $n;
}

# The two calls, and what the second must be answered: as for expect().
sub after {
    my ($name, $first, $second, $want) = @_;

    redis('CLIENT', 'PAUSE', 15000, 'WRITE');

    my $a = later('localhost', @$first);
    my $one = held_are(1);
    my $b = later('second', @$second);
    my $two = held_are(2);

    redis('CLIENT', 'UNPAUSE');

    ($a, $b) = (finish($a), finish($b));

    my ($line, $spec) = split /\n/, $want, 2;
    my ($status, $code) = split ' ', $line;
    my @bad;

    push @bad, 'they did not meet' if !$one || !$two;
    push @bad, "first: $a->{status} $a->{body}" if $a->{status} !~ /^20[01]/;
    push @bad, "second: $b->{status}" if $b->{status} != $status;
    push @bad, 'code' if defined $code
                         && $b->{body} !~ /"code":"\Q$code\E"/;
    push @bad, RoomsTest::JSON::json_problems($b->{body}, $spec)
        if defined $spec;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok(!@bad, $name) || diag(join "\n", @bad, "body: $b->{body}");

    return map { { %$_, data => eval { JSON::PP->new->utf8
                                       ->decode($_->{body})->{data} } } }
           $a, $b;
}

my @everyone = qw(ann bob cy dan eve mod);
my ($room, $path, $turn);
my $new = sub {
    my ($type, %fields) = @_;

    tenant('t' . ++$turn);
    known(@everyone);
    call('GET', '/v1/workspaces', $_, undef, Host => 'second')
        for @everyone;
    $room = make($type, 'ann', %fields);
    $path = "/v1/rooms/$room";
};
my $power = sub {
    my ($by, $whom, $level) = @_;

    return ['PUT', "$path/members/$whom/power-level", $by,
            { power_level => $level }];
};
my $on = sub {
    my ($op, $by, $whom) = @_;

    return ['POST', "$path/$op", $by,
            defined $whom ? { participant_id => $whom } : ()];
};

# still a member, still open
$new->('group');
admit($room, 'ann', 'bob');
after('a message of who was kicked', $on->('kick', 'ann', 'bob'),
      ['POST', "$path/send", 'bob', { content => {} }],
      '404 SW_ROOM_NOT_FOUND');

$new->('group');
admit($room, 'ann', 'bob');
after('a message to an archived room', $on->('archive', 'ann'),
      ['POST', "$path/send", 'bob', { content => {} }],
      '409 SW_ROOM_FROZEN');

$new->('incognito');
admit($room, 'ann', 'bob');
after('a message to a room that was taken along', $on->('leave', 'ann'),
      ['POST', "$path/send", 'bob', { content => { a => 'LATE' } }],
      '409 SW_ROOM_FROZEN');
is(scalar @{redis('ZRANGE', key("r:$room:events"), 0, -1)}, 1,
   'nothing is left of it');
verify_room($room);

$new->('group');
admit($room, 'ann', 'bob');
after('settings of who was kicked', $on->('kick', 'ann', 'bob'),
      ['PUT', "$path/mute", 'bob', { muted => true }],
      '404 SW_ROOM_NOT_FOUND');
verify_room($room);

for my $case ([join => 'dan'], [invite => 'bob', 'dan'],
              [kick => 'ann', 'bob'], [ban => 'ann', 'bob'])
{
    my ($op, @who) = @$case;

    $new->('public');
    admit($room, 'ann', 'bob', 'mod=50');
    after("$op after archiving", $on->('archive', 'mod'), $on->($op, @who),
          $op eq 'join' ? '404 SW_ROOM_NOT_FOUND' : '409 SW_ROOM_FROZEN');
    verify_room($room);
}

for my $case (['name', { name => 'x' }], ['topic', { topic => 'x' }]) {
    $new->('group');
    admit($room, 'ann', 'bob');
    after("$case->[0] after closing", $on->('close', 'ann'),
          ['PUT', "$path/$case->[0]", 'ann', $case->[1]],
          '409 SW_ROOM_FROZEN');
}

# power, of either side
$new->('group');
admit($room, 'ann', 'mod=50', 'bob');
after('a kick by who lost the power to', $power->('ann', 'mod', 49),
      $on->('kick', 'mod', 'bob'), '403 SW_ROOM_FORBIDDEN');
after('of who came to as much', $power->('ann', 'mod', 50),
      $power->('ann', 'bob', 50), '200');
$new->('group');
admit($room, 'ann', 'mod=50', 'bob');
after('a kick of who came to as much power', $power->('ann', 'bob', 50),
      $on->('kick', 'mod', 'bob'), '403 SW_ROOM_FORBIDDEN');
after('a name by who lost the power', $power->('ann', 'mod', 0),
      ['PUT', "$path/name", 'mod', { name => 'x' }],
      '403 SW_ROOM_FORBIDDEN');

# the invite was withdrawn, the ban came first
$new->('group');
$new->('group');
must(@{$on->('invite', 'ann', 'dan')});
after('a join on an invite that was withdrawn', $on->('kick', 'ann', 'dan'),
      $on->('join', 'dan'), '404 SW_ROOM_NOT_FOUND');
verify_room($room);
$new->('public');
after('a join of who was banned', $on->('ban', 'ann', 'dan'),
      $on->('join', 'dan'), '403 SW_ROOM_FORBIDDEN');
after('an invite of who was banned', $on->('ban', 'ann', 'eve'),
      $on->('invite', 'ann', 'eve'), '403 SW_ROOM_FORBIDDEN');
verify_room($room);

# the same twice is one change
my $once = sub {
    my ($name, $first, $second, $want) = @_;
    my $before = event_count();
    my @res = after($name, $first, $second, $want);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(event_count() - $before, 1, 'one event');
    verify_room($room);

    return @res;
};

$new->('public');
$once->('joins', $on->('join', 'bob'), $on->('join', 'bob'),
        "200\ndata.membership = join");
$once->('invites', $on->('invite', 'ann', 'cy'),
        $on->('invite', 'bob', 'cy'), "200\ndata.membership = invite");
$once->('an invite and a join', $on->('join', 'dan'),
        $on->('invite', 'bob', 'dan'), "200\ndata.membership = join");
$once->('bans', $on->('ban', 'ann', 'eve'), $on->('ban', 'ann', 'eve'),
        "200\ndata.membership = ban");
$once->('kicks', $on->('kick', 'ann', 'bob'), $on->('kick', 'ann', 'bob'),
        '404 SW_PARTICIPANT_NOT_FOUND');
$once->('archives', $on->('archive', 'ann'), $on->('archive', 'ann'),
        "200\ndata.state = archived");
$once->('rejoins', $on->('rejoin', 'ann'), $on->('rejoin', 'ann'),
        "200\ndata.state = open");
$once->('closes', $on->('close', 'ann'), $on->('close', 'ann'),
        "200\ndata.state = closed");
is(redis('HGET', key('tenant'), 'rooms'), 0, 'one place is freed');

# invites of many that overlap
$new->('group');
after('overlapping invites',
      ['POST', "$path/invite", 'ann', { participant_ids => [qw(bob cy)] }],
      ['POST', "$path/invite", 'ann', { participant_ids => [qw(cy dan)] }],
      "200\ndata.results # 2");
is_deeply([map { $_->{content}{participant_ids} }
           grep { $_->{content}{participant_ids} } events($room, 'ann')],
          [[qw(bob cy)], ['dan']], 'nobody is invited twice');
verify_room($room);

# a name overwrites the one before it
$new->('group');
after('names', ['PUT', "$path/name", 'ann', { name => 'One' }],
      ['PUT', "$path/name", 'ann', { name => 'Two' }],
      "200\ndata.name = Two");
is(must('GET', $path, 'ann')->{name}, 'Two', 'the last one stays');

# If-Match
for my $field (qw(topic name)) {
    my $etag = call('GET', $path, 'ann')->{headers}{etag};

    after("If-Match after a $field", ['PUT', "$path/$field", 'ann',
                                      { $field => "another $field" }],
          ['PUT', "$path/name", 'ann', { name => 'Mine' },
           'If-Match' => $etag], '412 SW_PRECONDITION_FAILED');
    is(call('GET', $path, 'ann')->{data}{$field}, "another $field",
       'which stays');
}

# somebody at 100
$new->('group');
admit($room, 'ann', 'bob=100', 'cy=10', 'dan=20');
after('the last two at 100 leave', $on->('leave', 'ann'),
      $on->('leave', 'bob'), '200');
is({ who_is($room) }->{dan}[1], 100, 'and one comes after them');
verify_room($room);

$new->('group');
admit($room, 'ann', 'bob=100');
after('the last two at 100 step down', $power->('ann', 'ann', 0),
      $power->('bob', 'bob', 0), '409 SW_ROOM_LAST_ADMIN');
verify_room($room);

$new->('group');
admit($room, 'ann', 'dan=60', 'eve=50');
after('the heir loses their power', $power->('ann', 'dan', 0),
      $on->('leave', 'ann'), '200');
is({ who_is($room) }->{eve}[1], 100, 'and is none');
verify_room($room);

$new->('group');
admit($room, 'ann', 'dan=60', 'eve=50');
after('the heir leaves', $on->('leave', 'dan'), $on->('leave', 'ann'),
      '200');
is({ who_is($room) }->{eve}[1], 100, 'the next one is it');
verify_room($room);

# a room that others made may have nobody at 100
$new->('group');
admit($room, 'ann', 'bob');
redis('HSET', key("r:$room:members"), 'ann',
      redis('HGET', key("r:$room:members"), 'ann') =~ s/ 100 / 0 /r);
redis('HSET', key("r:$room"), 'admins', 0);
after('both members leave', $on->('leave', 'ann'), $on->('leave', 'bob'),
      '200');
is(redis('HGET', key("r:$room"), 'state'), 'archived', 'emptied');
verify_room($room);

# the last one
$new->('public');
after('the last one leaves when another came', $on->('join', 'bob'),
      $on->('leave', 'ann'), '200');
is({ who_is($room) }->{bob}[1], 100, 'who is at 100');
is(call('GET', $path, 'bob')->{data}{state}, 'open', 'in an open room');
verify_room($room);

$new->('public');
after('a join when the last one left', $on->('leave', 'ann'),
      $on->('join', 'bob'), '404 SW_ROOM_NOT_FOUND');
verify_room($room);

$new->('public');
must(@{$on->('leave', 'ann')});
after('an emptied room is brought back once', $on->('rejoin', 'ann'),
      $on->('rejoin', 'dan!'), '403 SW_ROOM_FORBIDDEN');
is_deeply([sort keys %{{ who_is($room) }}], ['ann'], 'by who was first');
verify_room($room);

# seats
$new->('public');
redis('HSET', key('tenant'), 'max_participants', 2);
after('the last seat', $on->('join', 'bob'), $on->('join', 'cy'),
      '409 SW_ROOM_CAPACITY');
verify_room($room);

$new->('public');
redis('HSET', key('tenant'), 'max_participants', 2);
after('the last seat by invite', $on->('invite', 'ann', 'bob'),
      $on->('join', 'cy'), '409 SW_ROOM_CAPACITY');
verify_room($room);

my $create = sub {
    my ($who, %fields) = @_;

    return ['POST', '/v1/rooms', $who,
            { room_type => 'group', name => 'Same', %fields }];
};

$new->('group');
redis('HSET', key('tenant'), 'max_rooms', 2);
after('the last room', $create->('ann'), $create->('bob'),
      '409 SW_TENANT_CAPACITY');
is(redis('HGET', key('tenant'), 'rooms'), 2, 'as many as may be');

$new->('group');
after('the same alias', $create->('ann'), $create->('bob'),
      "201\ndata.room_alias ~ ^#same-\\d+:");

# DMs
$new->('group');

my @dm = after('a DM from both sides',
               ['POST', '/v1/rooms/dm', 'ann', { participant_id => 'bob' }],
               ['POST', '/v1/rooms/dm', 'bob', { participant_id => 'ann' }],
               "200\ndata.name = ann\ndata.me.power_level = 100");

is($dm[1]{data}{id}, $dm[0]{data}{id}, 'is one');
must('POST', "/v1/rooms/$dm[0]{data}{id}/archive", 'ann');
@dm = after('a DM that is closed when it is restored',
            ['POST', "/v1/rooms/$dm[0]{data}{id}/close", 'bob'],
            ['POST', '/v1/rooms/dm', 'ann', { participant_id => 'bob' }],
            '201');
isnt($dm[1]{data}{id}, $dm[0]{data}{id}, 'is another');

# workspaces
$new->('group');

my $ws = must('POST', '/v1/workspaces', 'ann', { name => 'W' })->{id};
my $role = sub {
    my ($role) = @_;

    return ['POST', "/v1/workspaces/$ws/members", 'ann',
            { participant_id => 'bob', role => $role }];
};

must(@{$role->('editor')});
admit($room, 'ann', 'bob=50');
after('a room in a workspace, of who is no editor any more',
      $role->('viewer'), $create->('bob', workspace_id => $ws),
      '403 SW_WORKSPACE_FORBIDDEN');
must(@{$role->('editor')});
after('a move to a workspace, likewise', $role->('viewer'),
      ['PUT', "$path/workspace", 'bob', { workspace_id => $ws }],
      '403 SW_WORKSPACE_FORBIDDEN');
must(@{$role->('owner')});
after('a role given by who is no owner any more', $role->('viewer'),
      ['POST', "/v1/workspaces/$ws/members", 'bob',
       { participant_id => 'cy', role => 'editor' }],
      '403 SW_WORKSPACE_FORBIDDEN');

# one's own settings
$new->('group');
admit($room, 'ann', 'bob');

my @sent = map { must('POST', "$path/send", 'ann', { content => {} }) }
           1 .. 3;

after('mute and mode', ['PUT', "$path/mute", 'bob', { muted => true }],
      ['PUT', "$path/notification-mode", 'bob', { mode => 'none' }],
      "200\ndata.notification_mode = none");

my $both = must('GET', $path, 'bob')->{me};

is($both->{notification_mode}, 'none', 'the mode is set');
ok($both->{muted_until}, 'and the mute stays');
after('a read marker behind another',
      ['PUT', "$path/read", 'bob', { event_id => $sent[2]{id} }],
      ['PUT', "$path/read", 'bob', { event_id => $sent[0]{id} }],
      "200\ndata.advanced = false\ndata.event_id = $sent[2]{id}"
      . "\ndata.unread_count = 0");
is_deeply([@{call('GET', $path, 'bob')->{data}{me}}{
           qw(notification_mode last_read_event_id unread_count)}],
          ['none', $sent[2]{id}, 0], 'all of it is kept');

# one uuid, one event
my @twice = $once->('a uuid',
                    ['POST', "$path/send", 'bob',
                     { content => { n => 1 }, event_uuid => 'u' }],
                    ['POST', "$path/send", 'bob',
                     { content => { n => 2 }, event_uuid => 'u' }],
                    "201\ndata.content.n = 1");

is($twice[1]{data}{id}, $twice[0]{data}{id}, 'the first');
stop_nginx();

done_testing();
