# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What holds however many ask at once, of two workers.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Row;

start('', workers => 2);

my $json = JSON::PP->new->utf8->canonical;
my $rounds = $ENV{TEST_NGINX_RACE_ROUNDS} || 5;
my $how_many = sub {
    my ($want, @res) = @_;

    return scalar grep { $want =~ /^\d/ ? $_->{status} == $want
                                        : $_->{code} eq $want } @res;
};

# All events of the tenant, by position.
my $events = sub {
    my %at;

    for my $key (grep { /:events$/ } @{redis('KEYS', key('*'))}) {
        my @rows = @{redis('ZRANGE', $key, 0, -1, 'WITHSCORES')};

        my ($room) = $key =~ /(room-\w+)/;

        while (my ($text, $score) = splice @rows, 0, 2) {
            push @{$at{$score}}, row_event($text, $room);
        }
    }

    return %at;
};

# One test: a position is held by one event, whose id and text say the same;
# the last one of each room is where the room says, and that of the tenant is
# the counter.
my $whole = sub {
    my ($name) = @_;
    my %at = $events->();
    my $last = redis('GET', key('position')) // 0;
    my @bad = map { "position $_: " . scalar(@{$at{$_}}) }
              grep { @{$at{$_}} != 1 } keys %at;
    my %ends;

    for my $at (sort { $a <=> $b } keys %at) {
        $ends{$at{$at}[0]{room_id}} = $at;
        $ends{''} = $at;
    }

    push @bad, "the counter is $last, the last event at $ends{''}"
        if $last != ($ends{''} // 0);
    delete $ends{''};
    push @bad, map { "the last event of $_ is not at $ends{$_}" }
               grep { redis('HGET', key("r:$_"), 'position') != $ends{$_} }
               keys %ends;
    push @bad, map { "event at $_ says $at{$_}[0]{stream_position}" }
               grep { $at{$_}[0]{stream_position} != $_
                      || event_place($at{$_}[0]{id}) != $_ } keys %at;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok(!@bad, "$name: no event is lost or doubled")
           || diag(join "\n", @bad[0 .. ($#bad > 9 ? 9 : $#bad)]);
};

for my $round (1 .. $rounds) {
    # a DM, from both sides
    tenant("dm$round");
    known(qw(ann bob));

    my @res = many(16, map { ['POST', '/v1/rooms/dm', $_ % 2 ? 'ann' : 'bob',
                              { participant_id => $_ % 2 ? 'bob' : 'ann' }] }
                           1 .. 16);
    my %rooms = map { ($_->{data}{id} // $_->{code}) => 1 } @res;

    is(scalar keys %rooms, 1, 'one DM');
    is($how_many->(201, @res), 1, 'one made it');
    is($how_many->(200, @res), 15, 'fifteen found it');
    is(redis('HGET', key('tenant'), 'rooms'), 1, 'one room');
    verify_room((keys %rooms)[0]);
    is(scalar(@{redis('KEYS', key('r:*:members'))}), 1, 'no other in redis');
    $whole->('DM');

    # archived, and asked for by both sides: one brings it back
    my ($room) = keys %rooms;

    must('POST', "/v1/rooms/$room/archive", 'ann');

    my $before = event_count();

    @res = many(12, map { ['POST', '/v1/rooms/dm', $_ % 2 ? 'ann' : 'bob',
                           { participant_id => $_ % 2 ? 'bob' : 'ann' }] }
                        1 .. 12);
    is($how_many->(200, @res), 12, 'all have it back');
    is(event_count() - $before, 1, 'by one change');

    # closed while it is asked for
    @res = many(14, (map { ['POST', '/v1/rooms/dm', 'ann',
                            { participant_id => 'bob' }] } 1 .. 12),
                ['POST', "/v1/rooms/$room/close", 'bob'],
                ['POST', "/v1/rooms/$room/close", 'ann']);
    is($how_many->(200, @res[12, 13]), 2, 'closed');
    is(scalar(grep { $_->{status} !~ /^20[01]$/ } @res), 0, 'all answered');
    is(scalar(grep { (redis('HGET', key("r:$_"), 'state') // '') eq 'open' }
              map { /:r:(room-\w+):members$/ } @{redis('KEYS',
                  key('r:*:members'))}),
       redis('HLEN', key('dms')), 'at most one is open, and is the pair\'s');
    $whole->('closed DM');

    # a public room with a capacity of 20 and 40 who join
    tenant("capacity$round");

    my @who = map { "p$_" } 1 .. 40;

    known('ann', @who);
    redis('HSET', key('tenant'), 'max_participants', 20);
    $room = make(public => 'ann');
    @res = many(40, map { ['POST', "/v1/rooms/$room/join", $_] } @who);
    is($how_many->(200, @res), 19, 'nineteen beside who made it');
    is($how_many->('SW_ROOM_CAPACITY', @res), 21, 'the others are told');
    is(scalar(members($room, 'ann')), 20, 'twenty in the list');
    is(call('GET', "/v1/rooms/$room", 'ann')->{data}{members_count}, 20,
       'and in the count');
    verify_room($room);
    $whole->('capacity');

    # joined and invited together, by single and by many
    $room = make(public => 'ann');
    @res = many(30, (map { ['POST', "/v1/rooms/$room/join", $_] }
                         @who[0 .. 14]),
                (map { ['POST', "/v1/rooms/$room/invite", 'ann',
                        { participant_id => $_ }] } @who[15 .. 26]),
                (map { ['POST', "/v1/rooms/$room/invite", 'ann',
                        { participant_ids => [@who[$_, $_ + 1, $_ + 2]] }] }
                     27, 30, 33));

    my $data = call('GET', "/v1/rooms/$room", 'ann')->{data};

    cmp_ok($data->{members_count} + $data->{invited_count}, '<=', 20,
           'no seat too many');
    cmp_ok($data->{members_count} + $data->{invited_count}, '>=', 18,
           'none left empty');
    verify_room($room);
    $whole->('seats');

    # one joins many times at once
    redis('HSET', key('tenant'), 'max_participants', 1000);
    $room = make(public => 'ann');
    $before = event_count();
    @res = many(16, map { ['POST', "/v1/rooms/$room/join", 'p1'] } 1 .. 16);
    is($how_many->(200, @res), 16, 'all are answered');

    my %bodies = map { $_->{body} => 1 } @res;

    is(scalar keys %bodies, 1, 'alike');
    is(event_count() - $before, 1, 'of one change');
    verify_room($room);

    # renames
    @res = many(16, map { ['PUT', "/v1/rooms/$room/name", 'ann',
                           { name => "Name $_" }] } 1 .. 16);
    is($how_many->(200, @res), 16, 'all renames are answered');

    my @names = grep { $_->{event_type} eq 'swp.room.name' }
                events($room, 'ann');

    is(scalar @names, 16, 'each is an event');
    is(call('GET', "/v1/rooms/$room", 'ann')->{data}{name},
       $names[-1]{content}{name}, 'the last one stays');
    is(scalar(grep { my $r = $_; $r->{data}{name} !~ /^Name \d+$/ } @res), 0,
       'all have a new name');
    $whole->('renames');

    # the last two at 100 leave at once
    $room = make(group => 'ann');
    admit($room, 'ann', 'p1=100', 'p2=10', 'p3=10');
    @res = many(2, map { ['POST', "/v1/rooms/$room/leave", $_] } qw(ann p1));
    is($how_many->(200, @res), 2, 'both left');

    my %rows = who_is($room);

    is("$rows{p2}[1] $rows{p3}[1]", '100 10', 'and one came after them');
    verify_room($room);

    # they demote themselves at once
    $room = make(group => 'ann');
    admit($room, 'ann', 'p1=100');
    @res = many(2, map { ['PUT', "/v1/rooms/$room/members/$_/power-level",
                          $_, { power_level => 0 }] } qw(ann p1));
    is($how_many->(200, @res) . ' '
       . $how_many->('SW_ROOM_LAST_ADMIN', @res), '1 1', 'one may not');
    verify_room($room);

    # everybody leaves at once
    $room = make(public => 'ann');
    many(8, map { ['POST', "/v1/rooms/$room/join", "p$_"] } 1 .. 7);
    @res = many(8, map { ['POST', "/v1/rooms/$room/leave", $_] }
                       'ann', map { "p$_" } 1 .. 7);
    is($how_many->(200, @res), 8, 'all left');
    is(redis('HGET', key("r:$room"), 'state'), 'archived', 'emptied');
    is(scalar(grep { call('GET', "/v1/rooms/$room", $_)->{status} == 200 }
              'ann', map { "p$_" } 1 .. 7), 1, 'one was the last');
    verify_room($room);
    $whole->('leaves');

    # the last leaves while others join
    $room = make(public => 'ann');
    @res = many(9, ['POST', "/v1/rooms/$room/leave", 'ann'],
                map { ['POST', "/v1/rooms/$room/join", "p$_"] } 1 .. 8);
    is($res[0]{status}, 200, 'left');
    %rows = who_is($room);

    my $state = redis('HGET', key("r:$room"), 'state');

    is($state, %rows ? 'open' : 'archived', 'open if anybody is in');
    is(scalar(grep { $_->[1] == 100 } values %rows), %rows ? 1 : 0,
       'with one at 100');
    verify_room($room);

    # sixteen rooms of the same name
    tenant("names$round");
    known('ann', map { "p$_" } 1 .. 15);
    @res = many(16, map { ['POST', '/v1/rooms', $_, { room_type => 'group',
                           name => 'Same name' }] } 'ann',
                    map { "p$_" } 1 .. 15);
    is($how_many->(201, @res), 16, 'all are made');

    my %aliases = map { ($_->{data}{room_alias} // '') => $_->{data}{id} }
                  @res;

    is(scalar keys %aliases, 16, 'with aliases of their own');
    is(scalar(grep { !/^#same-name(?:-\d+)?:rooms\.test$/ } keys %aliases),
       0, 'of their name');
    is_deeply({ @{redis('HGETALL', key('aliases'))} },
              { map { my ($slug) = /^#(.*):/; $slug => $aliases{$_} }
                    keys %aliases }, 'as the store has them');

    # max_rooms
    redis('HSET', key('tenant'), 'max_rooms', 20);
    @res = many(16, (map { ['POST', '/v1/rooms', "p$_",
                            { room_type => 'group', name => "N$_" }] }
                         1 .. 8),
                map { ['POST', '/v1/rooms/dm', 'ann',
                       { participant_id => "p$_" }] } 1 .. 8);
    is($how_many->(201, @res), 4, 'four were left');
    is($how_many->('SW_TENANT_CAPACITY', @res), 12, 'the others are told');
    is(redis('HGET', key('tenant'), 'rooms'), 20, 'and no more');

    # closing frees a place once, however often it is asked for
    my @four = map { $_->{data}{id} } grep { $_->{status} == 201 } @res;
    my ($id) = $four[0];
    my $creator = call('GET', "/v1/rooms/$id", 'ann')->{data}{creator_id}
                  // redis('HGET', key("r:$id"), 'meta');
    my ($owner) = grep { my %m = who_is($id); $m{$_} }
                  'ann', map { "p$_" } 1 .. 15;

    @res = many(10, map { ['POST', "/v1/rooms/$id/close", $owner] } 1 .. 10);
    is($how_many->(200, @res), 10, 'closed');
    is(redis('HGET', key('tenant'), 'rooms'), 19, 'one place is free');
    $whole->('creation');
}

# One participant's first requests, all at once, make one participant.
tenant('first');

my @res = many(16, map { ['POST', '/v1/auth/register', 'zoe', {}] } 1 .. 16);
my %ids = map { ($_->{data}{workspace_id} // $_->{code}) => 1 } @res;

is($how_many->(200, @res), 16, 'registered');
is(scalar keys %ids, 1, 'with one workspace');
is(scalar @{redis('KEYS', key('w:*:members'))}, 1, 'made once');

# Workspaces: never without an owner, and none with a room that isn't there.
tenant('workspaces');
known(qw(ann bob));

for my $round (1 .. $rounds) {
    my $ws = must('POST', '/v1/workspaces', 'ann', { name => 'W' })->{id};
    my $at = "/v1/workspaces/$ws";

    must('POST', "$at/members", 'ann',
         { participant_id => 'bob', role => 'owner' });

    # either lets itself down, in whatever way, at once
    my @res = many(12, map { my $who = $_ % 2 ? 'ann' : 'bob';
                             $_ % 3 ? ['PATCH', "$at/members/$who", $who,
                                       { role => 'editor' }]
                                    : ['DELETE', "$at/members/$who", $who] }
                           1 .. 12);
    my %roles = @{redis('HGETALL', key("w:$ws:members"))};
    my @owners = grep { $roles{$_} eq 'owner' } keys %roles;

    is(scalar @owners, 1, 'one owner is left');
    is(redis('HGET', key("w:$ws"), 'owners'), 1, 'and counted');
    cmp_ok($how_many->('SW_WORKSPACE_NEEDS_OWNER', @res), '>=', 1,
           'whom nobody takes the role of');
    is_deeply([sort @{redis('ZRANGE', key("w:$ws:list"), 0, -1)}],
              [sort keys %roles], 'the list has who has a role');

    # rooms are made and moved there while it is deleted
    my $owner = $owners[0];
    my @moving = map { make(group => $owner, name => 'Moving') } 1 .. 4;

    @res = many(12, (map { ['POST', '/v1/rooms', $owner,
                            { room_type => 'group', name => 'There',
                              workspace_id => $ws }] } 1 .. 4),
                    (map { ['DELETE', $at, $owner] } 1 .. 4),
                    (map { ['PUT', "/v1/rooms/$_/workspace", $owner,
                            { workspace_id => $ws }] } @moving));

    my $gone = grep { $_->{status} == 200 } @res[4 .. 7];
    my @there = grep { $_->{status} =~ /^20[01]$/ } @res[0 .. 3, 8 .. 11];

    cmp_ok($gone, '<=', 1, 'deleted once, if at all');
    ok(!$gone || !@there, 'and not with rooms in it');
    is(redis('ZCARD', key("w:$ws:rooms")), scalar @there, 'which are listed');
    is(redis('EXISTS', key("w:$ws:members")), $gone ? 0 : 1,
       'it is there as a whole, or not at all');

    # rooms end while they move
    my @ends = map { $_->{data}{id} } @there;

    push @ends, make(group => $owner, name => 'Ends') while @ends < 2;

    my $home = must('POST', '/v1/workspaces', $owner, { name => 'H' })->{id};

    @res = many(12, map { my $room = $_;
                          (['POST', "/v1/rooms/$room/archive", $owner],
                           ['PUT', "/v1/rooms/$room/workspace", $owner,
                            { workspace_id => $home }],
                           ['POST', "/v1/rooms/$room/rejoin", $owner],
                           ['POST', "/v1/rooms/$room/close", $owner]) }
                        @ends);
    must('POST', "/v1/rooms/$_/close", $owner) for @ends;
    is_deeply([map { @{redis('ZRANGE', $_, 0, -1)} }
               key("w:$home:rooms"), $gone ? () : key("w:$ws:rooms")], [],
              'no list keeps a room that is closed');
}

# One Idempotency-Key, of two workers.
tenant('keys');
known('ann');

for my $round (1 .. $rounds) {
    my $before = redis('HGET', key('tenant'), 'rooms') // 0;
    my @call = ('POST', '/v1/rooms', 'ann',
                { room_type => 'group', name => 'Key' },
                'Idempotency-Key' => "key-$round");
    my @res = many(16, map { [@call] } 1 .. 16);
    my %made = map { $_->{body} => 1 } grep { $_->{status} == 201 } @res;

    is(scalar keys %made, 1, 'one answer');
    is($how_many->(201, @res) + $how_many->('SW_CONFLICT', @res), 16,
       'or the advice to wait');
    is(redis('HGET', key('tenant'), 'rooms') - $before, 1, 'one room');
    is(call(@call)->{body}, (keys %made)[0], 'and a replay of it');
}

# Who loses too often is told so, and nothing is changed: here a row that no
# guard of ours can match, since it isn't written as we write it.
tenant('lost');
known(qw(ann bob));

my $lost = make(group => 'ann');
my $row = redis('HGET', key("r:$lost:members"), 'ann');

redis('HSET', key("r:$lost:members"), 'ann',
      $row =~ s/^join 100 /join 0100 /r);

for my $call (['PUT', 'name', { name => 'x' }],
              ['POST', 'invite', { participant_id => 'bob' }],
              ['POST', 'send', { content => {} }],
              ['PUT', 'mute', { muted => true }], ['POST', 'archive'])
{
    my $before = redis('GET', key('position'));

    expect('409 SW_CONFLICT', $call->[0], "/v1/rooms/$lost/$call->[1]",
           'ann', $call->[2]);
    is(redis('GET', key('position')), $before, 'nothing was changed');
}

is(call('GET', "/v1/rooms/$lost", 'ann')->{data}{name}, 'Engineering',
   'the name is as it was');
expect('409 SW_CONFLICT', 'POST', "/v1/rooms/$lost/send", 'ann',
       { content => {} }, 'Idempotency-Key' => 'lost');
redis('HSET', key("r:$lost:members"), 'ann', $row);
expect('201', 'POST', "/v1/rooms/$lost/send", 'ann', { content => {} },
       'Idempotency-Key' => 'lost');

# Churn: eight at a time join, leave, invite, kick, ban, and change powers.
tenant('churn');
srand($ENV{TEST_NGINX_SEED} || 20);

my @who = map { "p$_" } 1 .. 8;

known('ann', @who);

my $room = make(public => 'ann');
my $changes = 1;

many(8, map { ['POST', "/v1/rooms/$room/join", $_] } @who[0 .. 3]);
$changes += 4;

my %kinds;

for my $turn (1 .. 60) {
    my @calls = map {
        my $by = rand() < 0.4 ? 'ann' : $who[rand @who];
        my $whom = $who[rand @who];
        my $op = (qw(join leave invite kick ban unban join power join
                     invite))[rand 10];

        $op eq 'power'
            ? ['PUT', "/v1/rooms/$room/members/$whom/power-level", $by,
               { power_level => (0, 50, 100)[rand 3] }]
            : $op =~ /join|leave/
            ? ['POST', "/v1/rooms/$room/$op", $whom]
            : ['POST', "/v1/rooms/$room/$op", $by,
               { participant_id => $whom }];
    } 1 .. 8;

    for my $res (many(8, @calls)) {
        $kinds{$res->{code} || $res->{status}}++;
    }
}

diag join ', ', map { "$_: $kinds{$_}" } sort keys %kinds
    if $ENV{TEST_NGINX_VERBOSE};
is($kinds{SW_INTERNAL} // 0, 0, 'no error of ours');
is($kinds{SW_CONFLICT} // 0, 0, 'eight at once are never sent away');
is($kinds{0} // 0, 0, 'all answered');
cmp_ok($kinds{200}, '>', 100, 'much was changed');
verify_room($room, 'after the churn the store agrees with itself');
$whole->('churn');

# The events, one after another, lead to the rows as they stand; none says
# what was so already.
my %state;
my %at = $events->();
my @bad;

for my $event (map { $at{$_}[0] } sort { $a <=> $b } keys %at) {
    my $c = $event->{content};
    my $type = $event->{event_type};

    if ($type eq 'swp.room.create') {
        $state{$c->{creator_id}} = ['join', 100];

    } elsif ($type eq 'swp.room.member') {
        my $was = $state{$c->{participant_id}}[0] // 'leave';

        push @bad, "$event->{id}: $c->{participant_id} was $was, "
                   . "not $c->{previous}" if $was ne $c->{previous};
        push @bad, "$event->{id}: no change"
            if $c->{membership} eq $c->{previous};
        $state{$c->{participant_id}} = [$c->{membership}, 0];
        delete $state{$c->{participant_id}} if $c->{membership} eq 'leave';
        $state{$c->{successor}{participant_id}}[1] = 100 if $c->{successor};

    } elsif ($type eq 'swp.room.power_level') {
        my $row = $state{$c->{participant_id}} || [''];

        push @bad, "$event->{id}: $c->{participant_id} is no member"
            if $row->[0] ne 'join';
        push @bad, "$event->{id}: power was $row->[1]"
            if $row->[1] != $c->{previous};
        $row->[1] = $c->{power_level};

    } elsif ($type ne 'swp.room.state') {
        push @bad, "$event->{id}: $type";
    }

    my $admins = grep { $_->[0] eq 'join' && $_->[1] == 100 } values %state;
    my $in = grep { $_->[0] eq 'join' } values %state;

    push @bad, "$event->{id}: nobody at 100" if $in && !$admins;
}

is_deeply(\@bad, [], 'each event tells a change');
is_deeply({ map { $_ => "@{$state{$_}}" } keys %state },
          do { my %rows = who_is($room);
               +{ map { $_ => "@{$rows{$_}}" } keys %rows } },
          'and all of them lead to what is');
is(call('GET', "/v1/rooms/$room", 'ann')->{data}{members_count},
   scalar(grep { $_->[0] eq 'join' } values %state), 'and so is the count')
    if $state{ann};
is(scalar(keys %at), event_count(), 'none is missing');
# a message is redacted while it is reacted to with new emojis: neither a row
# nor a count of it stays, and who comes later is refused
{
    tenant('redacted');
    known('ann', map { "p$_" } 1 .. 12);

    my $room = make(public => 'ann');
    my @left;

    must('POST', "/v1/rooms/$room/join", "p$_") for 1 .. 12;

    for my $round (1 .. 3 * $rounds) {
        my $id = must('POST', "/v1/rooms/$room/send", 'ann',
                      { content => { body => 'x' } })->{id};
        my $at = "/v1/rooms/$room/events/$id";
        my @calls = map { ['POST', "$at/reaction", "p$_",
                           { emoji => "e$_" }] } 1 .. 12;

        splice @calls, 2 + $round % 8, 0, ['POST', "$at/redact", 'ann', {}];

        my @res = many(scalar @calls, @calls);

        is(scalar(grep { $_->{status} >= 500 } @res), 0, 'all are answered');
        is($res[2 + $round % 8]{status}, 200, 'redacted');
        push @left, redis('ZCARD', key("r:$room:tally")),
                    redis('HLEN', key("r:$room:counts")),
                    redis('ZCARD', key("r:$room:reactions"));
        isnt(call('POST', "$at/reaction", 'p1', { emoji => 'z' })->{status},
             201, 'no reaction to it any more');
    }

    is(scalar(grep { $_ } @left), 0, 'nothing of a reaction is left')
        or diag("@left");
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]|signal 11/, 'no alert');
stop_nginx();

done_testing();
