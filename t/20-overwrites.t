# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What only overwrites doesn't race: of a hundred at once all are made.  What
# relies on what it read is made as if one came after another.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start('', workers => 2);

my @many = $ENV{TEST_NGINX_USE_VALGRIND} ? 1 .. 20 : 1 .. 100;
my @who = map { "p$_" } 1 .. 10;

known('ann', @who);

my $room = make(public => 'ann', name => 'Hot');

admit($room, 'ann', map { "$_=60" } @who);

my @workspaces = map { must('POST', '/v1/workspaces', 'ann',
                            { name => "W$_" })->{id} } 1 .. 4;

sub statuses {
    my %n;

    $n{"$_->{status} $_->{code}"}++ for @_;

    return join ', ', map { "$n{$_}: $_" } sort keys %n;
}

# Requests at once; all are made, and the last one in the room is shown.
sub all_made {
    my ($what, @calls) = @_;
    my @res = many(scalar @calls, @calls);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(statuses(@res), @calls . ': 200 ', $what);

    return @res;
}

sub last_event {
    my ($type) = @_;
    my ($last) = grep { $_->{event_type} eq $type } reverse events($room, 'ann');

    return $last;
}

all_made(@many . ' topics', map { ['PUT', "/v1/rooms/$room/topic",
                             $who[$_ % 10], { topic => "T$_" }] } @many);
is(scalar(grep { $_->{event_type} eq 'swp.room.topic' } events($room, 'ann')),
   scalar @many, 'each has its event');
is(must('GET', "/v1/rooms/$room", 'ann')->{topic},
   last_event('swp.room.topic')->{content}{topic}, 'the last one stays');

all_made(@many . ' names', map { ['PUT', "/v1/rooms/$room/name",
                            'ann', { name => "N$_" }] } @many);
is(must('GET', "/v1/rooms/$room", 'ann')->{name},
   last_event('swp.room.name')->{content}{name}, 'the last one stays');

all_made('names and topics', map { $_ % 2
    ? ['PUT', "/v1/rooms/$room/name", 'ann', { name => "N$_" }]
    : ['PUT', "/v1/rooms/$room/topic", 'p1', { topic => "T$_" }] } @many);

all_made(@many . ' workspaces', map { ['PUT', "/v1/rooms/$room/workspace",
    'ann', { workspace_id => $workspaces[$_ % 4] }] } @many);

# markers: forward only, however many come at once
my @sent = map { must('POST', "/v1/rooms/$room/send", 'ann',
                      { content => { n => $_ } }) } @many;

my @read = all_made(@many . ' read markers', map {
    ['PUT', "/v1/rooms/$room/read", 'p3', { event_id => $_->{id} }] } @sent);

is(must('GET', "/v1/rooms/$room", 'p3')->{me}{last_read_event_id},
   $sent[-1]{id}, 'the furthest stays');
cmp_ok(scalar(grep { $_->{data}{advanced} } @read), '>=', 1, 'it was moved');

# settings: each is overwritten, and disturbs no other
all_made(@many . ' modes and mutes', map {
    my ($what, $body) = (
        [mute => { duration => 3600 + $_ }],
        ['notification-mode' => { mode => (qw(all mentions none))[$_ / 3 % 3] }],
        [read => { event_id => $sent[-1]{id} }])[$_ % 3]->@*;

    ['PUT', "/v1/rooms/$room/$what", 'p5', $body] } @many);
isnt(must('GET', "/v1/rooms/$room", 'p5')->{me}{muted_until}, undef, 'muted');

# If-Match still guards: of many from one version one is made
my $etag = call('GET', "/v1/rooms/$room", 'ann')->{headers}{etag};
my @res = many(20, map { ['PUT', "/v1/rooms/$room/topic", 'ann',
                          { topic => "If $_" }, 'If-Match' => $etag] } 1 .. 20);

is(statuses(@res), '1: 200 , 19: 412 SW_PRECONDITION_FAILED', 'If-Match');

# another field of that version counts, too
@res = many(20, map { $_ % 2
    ? ['PUT', "/v1/rooms/$room/name", 'ann', { name => "If $_" },
       'If-Match' => call('GET', "/v1/rooms/$room", 'ann')->{headers}{etag}]
    : ['PUT', "/v1/rooms/$room/topic", 'ann', { topic => "If not $_" }] }
    1 .. 20);
is(scalar(grep { $_->{status} !~ /^(?:200|412)$/ } @res), 0,
   'beside those without');

# strong comparison, of any tag of a list
for my $case (
    [200, '%s'], [200, '"x", %s'], [200, '"a","b" ,%s, "c"'], [200, '*'],
    [200, 'W/"x", %s'], [412, 'W/%s'], [412, 'W/%s, "x"'],
    [412, '"x", W/%s'], [412, '"%s"'], [412, ''], [412, '"'], [412, 'W/"'],
    [412, '"x" %s' =~ s/%s/zzz/r], [412, 'x%s'],
) {
    my ($want, $form) = @$case;

    $etag = call('GET', "/v1/rooms/$room", 'ann')->{headers}{etag};

    my $value = $form =~ s/%s/$etag/r;

    is(call('PUT', "/v1/rooms/$room/topic", 'ann', { topic => 'R' . rand },
            'If-Match' => $value)->{status}, $want, "If-Match: $value");
}

# what does rely on what it read: none is lost, all are answered
@res = many(scalar @many, map { ['PUT',
    "/v1/rooms/$room/members/p4/power-level", 'ann', { power_level => $_ % 50 }]
    } @many);
is(scalar(grep { $_->{status} != 200
                 && !($_->{code} eq 'SW_CONFLICT'
                      && $_->{headers}{'retry-after'} == 1) } @res), 0,
   'power levels: made, or told when to try again') or diag statuses(@res);
cmp_ok(scalar(grep { $_->{status} == 200 } @res), '>', @many / 2, 'most are');

# admins who step down disturb nobody, and one stays
my $club = make(public => 'ann', name => 'Club');

admit($club, 'ann', map { "$_=100" } @who);
@res = many(11, map { ['POST', "/v1/rooms/$club/leave", $_] } 'ann',
                @who[0 .. 8]);
is(statuses(@res), '10: 200 ', 'ten of eleven admins leave');
verify_room($club);
is(redis('HGET', key("r:$club"), 'admins'), 1, 'one admin is left');

@res = many(10, map { ['PUT', "/v1/rooms/$room/members/$_/power-level", 'ann',
                       { power_level => 100 }] } @who);
is(scalar(grep { $_->{status} == 200 } @res), 10, 'ten are made admins');
@res = many(11, map { ['PUT', "/v1/rooms/$room/members/$_/power-level", $_,
                       { power_level => 10 }] } 'ann', @who);
is(scalar(grep { $_->{status} == 200 } @res), 10, 'ten of eleven step down');
is(scalar(grep { $_->{code} eq 'SW_ROOM_LAST_ADMIN' } @res), 1,
   'the last one can not');
verify_room($room);

# rooms of one name at once
@res = many(scalar @many, map { ['POST', '/v1/rooms', $who[$_ % 10],
    { room_type => 'public', name => 'The same' }] } @many);
is(statuses(@res), @many . ': 201 ', 'rooms of one name');

my %alias = map { $_->{data}{room_alias} => 1 } @res;

is(scalar keys %alias, scalar @many, 'each with an alias of its own');

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
