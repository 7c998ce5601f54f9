# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Every change appends exactly one event, which tells it; nothing else does.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();

my ($ann) = known(qw(ann bob cy dan eve));
my ($room, $path);
my %all;                        # position => event, of the whole tenant
my $position = sub { redis('GET', key('position')) // 0 };
my $json = JSON::PP->new->utf8->canonical;

# One call, one event: its type, its actor, its content, and nothing else.
my $told = sub {
    my ($type, $content, $who, $method, $end, $body) = @_;
    my $before = $position->();
    my $res = call($method, ref $end ? $$end : "$path$end", $who, $body);

    $room = $res->{data}{id}, $path = "/v1/rooms/$room"
        if $type eq 'swp.room.create' && $res->{data};

    my @new = map { $json->decode($_) } @{redis('ZRANGEBYSCORE',
        key("r:$room:events"), "($before", '+inf')};
    my ($actor) = $who =~ /^(\w+)/;
    my $name = "$method " . (ref $end ? $$end : $end) . " by $who: $type";
    my @bad;

    $actor = $who if $who !~ /!/;
    push @bad, "status $res->{status}: $res->{body}"
        if $res->{status} !~ /^20[01]$/;
    push @bad, scalar(@new) . ' events' if @new != 1;

    if (@new == 1) {
        my $event = $new[0];
        my $text = JSON::PP->new->utf8->canonical->encode($event->{content});

        push @bad, "type $event->{event_type}"
            if $event->{event_type} ne $type;
        push @bad, "sender $event->{sender_id}"
            if $event->{sender_id} ne $actor;
        push @bad, "room $event->{room_id}" if $event->{room_id} ne $room;
        my $at = $event->{stream_position};

        push @bad, "position $at, of the tenant " . $position->()
            if $at <= $before || $at != $position->();
        push @bad, 'score' if @{redis('ZRANGEBYSCORE', key("r:$room:events"),
                                      $at, $at)} != 1;
        push @bad, 'last event of the room'
            if redis('HGET', key("r:$room"), 'position') != $at;
        push @bad, RoomsTest::JSON::json_problems($text, $content);
        push @bad, 'edited, or no time'
            if defined $event->{edited_at} || defined $event->{redacted_at}
               || $event->{created_at} !~ /Z$/
               || abs($event->{origin_ts} - time()) > 60;
        $all{$event->{stream_position}} = $event;
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok(!@bad, $name) || diag(join "\n", @bad, $new[0]
                             ? $json->encode($new[0]) : ());

    return $res;
};

# A call that changes nothing, whatever it answers.
my $silent = sub {
    my ($status, $who, $method, $end, $body) = @_;
    my $before = $position->();
    my @rows = map { redis('ZCARD', $_) } grep { /:events$/ }
               @{redis('KEYS', key('*'))};
    my $res = call($method, ref $end ? $$end : "$path$end", $who, $body);
    my @after = map { redis('ZCARD', $_) } grep { /:events$/ }
                @{redis('KEYS', key('*'))};

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$res->{status} " . $position->() . " @after",
       "$status $before @rows", "$method " . (ref $end ? $$end : $end)
       . " by $who: $status, no event");
};

# creation
$told->('swp.room.create', <<"END", 'ann', 'POST', \'/v1/rooms',
room_type = group
name = First
topic = T
scope_kind null
is_public = true
workspace_id = $ann->{workspace_id}
creator_id = ann
END
        { room_type => 'group', name => 'First', topic => 'T',
          is_public => true });
$silent->(400, 'ann', 'POST', \'/v1/rooms', { room_type => 'group' });
$silent->(400, 'ann', 'POST', \'/v1/rooms', { room_type => 'dm' });
$silent->(404, 'ann', 'POST', \'/v1/rooms',
          { room_type => 'group', name => 'x', workspace_id => 'ws-x' });

# members
my $member = sub {
    my ($who, $is, $was, $more) = @_;

    return "participant_id = $who\nmembership = $is\nprevious = $was\n"
           . ($more // '');
};

$told->('swp.room.member', $member->('bob', 'join', 'leave'), 'bob', 'POST',
        '/join');
$silent->(200, 'bob', 'POST', '/join');
$told->('swp.room.member', $member->('cy', 'invite', 'leave'), 'bob',
        'POST', '/invite', { participant_id => 'cy' });
$silent->(200, 'ann', 'POST', '/invite', { participant_id => 'cy' });
$silent->(200, 'ann', 'POST', '/invite', { participant_id => 'bob' });
$silent->(404, 'ann', 'POST', '/invite', { participant_id => 'nobody' });
$told->('swp.room.member', $member->('cy', 'join', 'invite'), 'cy', 'POST',
        '/join');
$told->('swp.room.member',
        "membership = invite\nparticipant_ids = [\"dan\",\"eve\"]\n"
        . "participant_id !", 'cy', 'POST', '/invite',
        { participant_ids => [qw(dan bob eve nobody dan)] });
$silent->(200, 'cy', 'POST', '/invite', { participant_ids => [qw(dan bob)] });
$told->('swp.room.member', $member->('eve', 'leave', 'invite'), 'eve',
        'POST', '/leave');
$told->('swp.room.member',
        $member->('dan', 'leave', 'invite', 'reason = why'), 'ann', 'POST',
        '/kick', { participant_id => 'dan', reason => 'why' });
$silent->(404, 'ann', 'POST', '/kick', { participant_id => 'dan' });
$silent->(403, 'bob', 'POST', '/kick', { participant_id => 'cy' });
$silent->(403, 'bob', 'POST', '/kick', { participant_id => 'nobody' });
$told->('swp.room.member', $member->('bob', 'leave', 'join', 'reason !'),
        'ann', 'POST', '/kick', { participant_id => 'bob' });
$told->('swp.room.member', $member->('cy', 'ban', 'join', 'reason = "\""'),
        'ann', 'POST', '/ban', { participant_id => 'cy', reason => '"' });
$silent->(200, 'ann', 'POST', '/ban', { participant_id => 'cy' });
$silent->(403, 'cy', 'POST', '/join');
$told->('swp.room.member', $member->('eve', 'ban', 'leave'), 'ann', 'POST',
        '/ban', { participant_id => 'eve' });
$told->('swp.room.member', $member->('cy', 'leave', 'ban'), 'ann', 'POST',
        '/unban', { participant_id => 'cy' });
$silent->(200, 'ann', 'POST', '/unban', { participant_id => 'cy' });

# power levels
call('POST', "$path/join", $_) for qw(bob cy);
$told->('swp.room.power_level',
        "participant_id = bob\npower_level = 60\nprevious = 0", 'ann', 'PUT',
        '/members/bob/power-level', { power_level => 60 });
$silent->(200, 'ann', 'PUT', '/members/bob/power-level',
          { power_level => 60 });
$silent->(409, 'ann', 'PUT', '/members/ann/power-level',
          { power_level => 6 });
$silent->(403, 'cy', 'PUT', '/members/bob/power-level',
          { power_level => 6 });
$told->('swp.room.power_level',
        "participant_id = cy\npower_level = 5\nprevious = 0", 'eve!', 'PUT',
        '/members/cy/power-level', { power_level => 5 });

# metadata
$told->('swp.room.name', "name = Second", 'bob', 'PUT',
        '/name', { name => ' Second ' });
$silent->(200, 'bob', 'PUT', '/name', { name => 'Second' });
$silent->(403, 'cy', 'PUT', '/name', { name => 'x' });
$silent->(400, 'bob', 'PUT', '/name', { name => '' });
$told->('swp.room.topic', 'topic = New', 'bob', 'PUT', '/topic',
        { topic => 'New' });
$silent->(200, 'bob', 'PUT', '/topic', { topic => 'New' });
$told->('swp.room.topic', 'topic null', 'bob', 'PUT', '/topic',
        { topic => undef });
$silent->(200, 'bob', 'PUT', '/topic', { topic => undef });

my $ws = must('POST', '/v1/workspaces', 'ann', { name => 'W' })->{id};

$silent->(201, 'ann', 'POST', \'/v1/workspaces', { name => 'W2' });
$told->('swp.room.workspace',
        "workspace_id = $ws", 'ann', 'PUT',
        '/workspace', { workspace_id => $ws });
$silent->(200, 'ann', 'PUT', '/workspace', { workspace_id => $ws });
$silent->(404, 'ann', 'PUT', '/workspace', { workspace_id => 'ws-x' });

# what is one's own is no change of the room
$silent->(200, 'bob', 'PUT', '/notification-mode', { mode => 'none' });
$silent->(200, 'bob', 'PUT', '/mute', { muted => true });

# messages
my $message = $told->('swp.room.message', "a = 1\nb = [1,2]", 'bob', 'POST',
                      '/send', { content => { a => 1, b => [1, 2] } });


# a marker takes a position, which only its reader's devices see
my $was = $position->();

must('PUT', "$path/read", 'cy', { event_id => $message->{data}{id} });
cmp_ok($position->(), '>', $was, 'a read marker takes a position');
is(redis('ZCOUNT', key("r:$room:events"), $was + 1, '+inf'), 0,
   'and is no event of the room');

$told->('swp.room.message', "\$ # 0", 'bob', 'POST', '/send',
        { content => {}, event_uuid => 'u' });
$silent->(201, 'bob', 'POST', '/send',
          { content => { x => 1 }, event_uuid => 'u' });
$silent->(400, 'bob', 'POST', '/send', { content => 1 });
$silent->(200, 'bob', 'GET', '/messages');
$silent->(200, 'bob', 'GET', '');
$silent->(200, 'bob', 'POST', \'/v1/auth/register', {});

# succession is told with the leave that made it
$told->('swp.room.member', $member->('ann', 'leave', 'join', <<"END"), 'ann',
successor.participant_id = bob
successor.power_level = 100
state !
END
        'POST', '/leave');

# states
$told->('swp.room.state', "state = archived\nprevious = open"
        . "\nparticipant_id !", 'bob', 'POST', '/archive');
$silent->(200, 'bob', 'POST', '/archive');
$silent->(409, 'bob', 'PUT', '/name', { name => 'x' });
$told->('swp.room.state', "state = open\nprevious = archived", 'bob',
        'POST', '/rejoin');
$silent->(200, 'bob', 'POST', '/rejoin');

# the room empties: one event tells both
$told->('swp.room.member', $member->('cy', 'leave', 'join', 'successor !'),
        'cy', 'POST', '/leave');
$told->('swp.room.member', $member->('bob', 'leave', 'join', <<"END"), 'bob',
state = archived
successor !
END
        'POST', '/leave');
$told->('swp.room.state', "state = open\nprevious = archived"
        . "\nparticipant_id = bob\nmembership = join", 'bob', 'POST',
        '/rejoin');
$told->('swp.room.state', "state = closed\nprevious = open", 'bob', 'POST',
        '/close');
$silent->(200, 'bob', 'POST', '/close');
$told->('swp.room.member', $member->('bob', 'leave', 'join', 'state !'),
        'bob', 'POST', '/leave');

# DMs
$told->('swp.room.create', "room_type = dm\nname null\ncreator_id = ann",
        'ann', 'POST', \'/v1/rooms/dm', { participant_id => 'bob' });
$room = make(dm => 'bob', with => 'ann');
$path = "/v1/rooms/$room";
$silent->(200, 'bob', 'POST', \'/v1/rooms/dm', { participant_id => 'ann' });
$silent->(404, 'bob', 'POST', \'/v1/rooms/dm', { participant_id => 'x' });
$silent->(400, 'bob', 'POST', \'/v1/rooms/dm', { participant_id => 'bob' });
$told->('swp.room.state', 'state = archived', 'bob', 'POST', '/archive');
$told->('swp.room.state', "state = open\nprevious = archived"
        . "\nparticipant_id !", 'ann', 'POST', \'/v1/rooms/dm',
        { participant_id => 'bob' });

# incognito: the creator's leave takes the room along
$told->('swp.room.create', "room_type = incognito\nscope_kind = incognito",
        'ann', 'POST', \'/v1/rooms', { room_type => 'incognito' });
$told->('swp.room.member', $member->('bob', 'invite', 'leave'), 'ann',
        'POST', '/invite', { participant_id => 'bob' });
$told->('swp.room.member', $member->('bob', 'join', 'invite'), 'bob', 'POST',
        '/join');
$told->('swp.room.state', "state = closed\nprevious = open"
        . "\nparticipant_id = ann\nmembership = leave", 'ann', 'POST',
        '/leave');
is_deeply([map { $_->{event_type} } events($room, 'bob')],
          ['swp.room.state'], 'and its events');

# Positions grow strictly within a tenant, and every one is an event's.
my %stored;

for my $key (grep { /:events$/ } @{redis('KEYS', key('*'))}) {
    my @rows = @{redis('ZRANGE', $key, 0, -1, 'WITHSCORES')};

    while (my ($text, $score) = splice @rows, 0, 2) {
        push @{$stored{$score}}, $json->decode($text);
    }
}

is(scalar(grep { @{$stored{$_}} != 1 } keys %stored), 0,
   'no position is held twice');
is_deeply([grep { !$stored{$_} } sort { $a <=> $b } keys %all],
          [grep { $all{$_}{room_id} eq $room
                  && $_ != $position->() } sort { $a <=> $b } keys %all],
          'what was told is there, but for what was wiped');

my %ids = map { $_->[0]{id} => 1 } values %stored;

is(scalar keys %ids, scalar keys %stored, 'ids are unique');
is_deeply([sort keys %ids],
          [map { $stored{$_}[0]{id} } sort { $a <=> $b } keys %stored],
          'and in the order of positions');

# another tenant has positions of its own
$was = $position->();
tenant('other');

my $theirs = make(group => 'zoe');

is(event_count(), 1, 'its first event');
is($position->(), events($theirs, 'zoe') && newest($theirs, 'zoe')
                  ->{stream_position}, 'at its own counter');
tenant('acme');
is($position->(), $was, 'which is not ours');
stop_nginx();

done_testing();
