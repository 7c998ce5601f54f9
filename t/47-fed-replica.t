# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A room that is at home on another server, with participants of ours.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Stranger qw(call policy member);

my ($b, $c) = RoomsTest::Stranger::around('a.example', 't', qw(b c));

sub events {
    my ($who, $room) = @_;

    return @{ call($who, 'GET', "/v1/rooms/$room/messages"
                   . '?direction=forward&limit=200')->{data} // [] };
}

sub members {
    my ($who, $room) = @_;
    my $res = call($who, 'GET', "/v1/rooms/$room/members");

    return join ' ', map { "$_->{participant_id}=$_->{membership}"
                           . ($_->{power_level} ? "=$_->{power_level}" : '') }
                     @{ $res->{data} // [] };
}

sub outbox { redis('ZRANGE', 'sw:{t}:outbox:' . $_[0]->name, 0, -1) // [] }

call("$_\@t", 'POST', '/v1/auth/register') for 'ann', 'al';

my $bob = $b->fqid('bob');
my $ann = '@ann:a.example';
my $room = 'room-01111111111111111111111111';

sub invites {
    my ($who, $id, %o) = @_;

    return $b->event($id, 'bob', 'member',
                     { fqid => $who, membership => 'invite' },
                     room => $b->room('Of bob'),
                     members => [member($who, 'invite'),
                                 member($bob, 'join', 100)], %o);
}

is($b->tell(invites($ann, $room)), '403 SW_FED_POLICY',
   'who is not on the policy invites nobody');
policy({ allowed_peers => [$b->name, $c->name] });

# An invite makes a replica

is($b->tell(invites('@nobody:a.example', $room)),
   'rejected SW_PARTICIPANT_NOT_FOUND', 'an invite for nobody');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{status}, 404, 'makes no room');

my $invite = invites($ann, $room);

is($b->tell($invite), 'applied', 'an invite');
is($b->tell($invite), 'duplicate', 'once');

my $seen = call('ann@t', 'GET', "/v1/rooms/$room")->{data};

is($seen->{name}, 'Of bob', 'is a room here');
is($seen->{creator_id}, $bob, 'made by them');
ok($seen->{federated}, 'federated');
is($seen->{me}{membership}, 'invite', 'to which one of ours is invited');
is($seen->{members_count} . $seen->{invited_count}, '11', 'with its counts');
is(call('al@t', 'GET', "/v1/rooms/$room")->{status}, 404,
   'others do not see it');
is(call('ann@t', 'GET', '/v1/directory/rooms?membership=invite')
       ->{data}[0]{id}, $room, 'it is in the directory');

my ($news) = grep { $_->{room_id} eq $room }
             @{ call('ann@t', 'GET', '/v1/sync?timeout=0')->{data}{events} };

is($news->{content}{membership}, 'invite', 'and sync tells of it');
is($news->{sender_id}, $bob, 'and by whom');

# It is accepted here, whether its home is there or not

my $t = time;

is(call('ann@t', 'POST', "/v1/rooms/$room/join")->{data}{membership}, 'join',
   'it is accepted');
is(scalar @{ outbox($b) }, 1, 'which its home is to be told');
is(call('ann@t', 'POST', "/v1/rooms/$room/send",
        { content => { body => 'hi' } })->{status}, 201, 'and written in');
is(scalar @{ outbox($b) }, 2, 'which is to be told, too');
is(call('al@t', 'POST', "/v1/rooms/$room/join")->{status}, 404,
   'nobody else comes in');

# What its home tells

is($b->tell($b->event($room, 'bob', 'members', {}, complete => JSON::PP::true,
                      room => $b->room('Of bob'),
                      members => [member($bob, 'join', 100),
                                  member($ann, 'join'),
                                  member($c->fqid('carl'), 'join', 10),
                                  member($b->fqid('eve'), 'invite')])),
   'applied', 'a snapshot');
is(members('ann@t', $room),
   join(' ', sort "$bob=join=100", $c->fqid('carl') . '=join=10',
                  $b->fqid('eve') . '=invite', 'ann=join'),
   'who is there');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{data}{members_count}, 3,
   'the counts');
is(scalar @{ outbox($b) }, 2, 'nothing of it is sent back');
is(scalar @{ outbox($c) }, 0, 'nor to others: that is its home\'s business');

my $said = $b->event($room, 'bob', 'message', { body => 'hello' });

is($b->tell($said), 'applied', 'a message');
is($b->tell($said), 'duplicate', 'once');
is($b->tell($b->event($room, 'x', 'message', { body => 'of carl' },
                      sender => $c->fqid('carl'))), 'applied',
   'the home tells of others');
is($b->tell($b->event($room, 'x', 'message', { body => 'forged' },
                      sender => $ann)), 'rejected SW_FED_POLICY',
   'but does not speak for ours');
is_deeply([map { "$_->{sender_id} $_->{content}{body}" }
           grep { $_->{content}{body} } events('ann@t', $room)],
          ['ann hi', "$bob hello", $c->fqid('carl') . ' of carl'],
          'what is read');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{data}{me}{unread_count}, 2,
   'what is unread');

my ($here) = grep { ($_->{content}{body} // '') eq 'hello' }
             events('ann@t', $room);
my $ref = "$said->{id}:" . $b->name;

is($b->tell($b->event($room, 'bob', 'message',
                      { replaces => $ref, content => { body => 'hallo' } })),
   'applied', 'an edit');
($here) = grep { $_->{id} eq $here->{id} } events('ann@t', $room);
is($here->{content}{body}, 'hallo', 'is one');
is(call('ann@t', 'POST', "/v1/rooms/$room/events/$here->{id}/reaction",
        { emoji => '+1' })->{status}, 200, 'we react to it');
is(call('ann@t', 'POST', "/v1/rooms/$room/events/$here->{id}/redact",
        {})->{code}, 'SW_REDACT_FORBIDDEN', 'and have the power that we have');
is($b->tell($b->event($room, 'bob', 'reaction',
                      { event_id => $ref, emoji => 'x', action => 'remove' })),
   'applied', 'a reaction of the past ends');
is((events('ann@t', $room))[-1]{content}{action}, 'remove',
   'and that is told here');
is($b->tell($b->event($room, 'bob', 'redaction', { event_id => $ref })),
   'applied', 'a redaction');
($here) = grep { $_->{id} eq $here->{id} } events('ann@t', $room);
is_deeply($here->{content}, {}, 'wipes');

is($b->tell($b->event($room, 'bob', 'name', { name => 'New' },
                      room => $b->room('New'), members => [])), 'applied',
   'a name');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{data}{name}, 'New', 'is shown');
is((events('ann@t', $room))[-1]{event_type}, 'swp.room.name', 'with its event');
is(call('ann@t', 'PUT', "/v1/rooms/$room/name", { name => 'Mine' })->{code},
   'SW_ROOM_FORBIDDEN', 'we may not, without power');
is($b->tell($b->event($room, 'bob', 'power_level',
                      { fqid => $ann, power_level => 60 },
                      room => $b->room('New'),
                      members => [member($ann, 'join', 60)])), 'applied',
   'ours get power');
is(call('ann@t', 'PUT', "/v1/rooms/$room/name", { name => 'Mine' })->{status},
   200, 'and use it');
is(call('ann@t', 'POST', "/v1/rooms/$room/invitations",
        { fqid => $c->fqid('cid') })->{status}, 200,
   'and invite from a third server');

# What its home may not

my $al = '@al:a.example';

is($b->tell($b->event($room, 'bob', 'member',
                      { fqid => $al, membership => 'join' },
                      room => $b->room('Mine'),
                      members => [member($al, 'join')])), 'applied',
   'one of ours who joins by another\'s word');
unlike(members('ann@t', $room), qr/\bal=/, 'does not');
is($c->tell($c->event($room, 'carl', 'message', { body => 'by c' })),
   'rejected SW_ROOM_NOT_FOUND', 'another server than its home is not heard');
is($c->tell($c->event($room, 'carl', 'member',
                      { fqid => $al, membership => 'invite' },
                      room => $c->room('Of carl'),
                      members => [member($al, 'invite')])),
   'applied', 'what it calls so as a home is another room');
unlike(members('ann@t', $room), qr/\bal=/, 'and not this one');

my $ours = call('ann@t', 'POST', '/v1/rooms',
                { room_type => 'group', name => 'Ours' })->{data}{id};

is($b->tell(invites($al, $ours)), 'rejected SW_ROOM_NOT_FOUND',
   'a room of ours stays ours');

for (['no room', room => undef], ['a type that is not shared',
      room => $b->room('x', room_type => 'incognito')],
     ['a sidekick', room => $b->room('x', room_type => 'sidekick')],
     ['no name', room => $b->room(undef)],
     ['a bad name', room => $b->room("a\nb")],
     ['no creator', room => $b->room('x', creator => undef)],
     ['a public one that is not', room => $b->room('x', room_type => 'public')],
     ['one that is not federated',
      room => $b->room('x', federated => JSON::PP::false)],
     ['a closed one', room => $b->room('x', state => 'closed')],
     ['nobody of ours', members => [member($bob, 'join', 100)]],
     ['somebody of ours who has joined', members => [member($al, 'join')]],
     ['101 members', members => [map { member($b->fqid("m$_"), 'join') }
                                 1 .. 101]],
     ['members that are none', members => { a => 1 }],
     ['a member without a name', members => [{ membership => 'join' }]],
     ['a member of power 101', members => [member($al, 'invite'),
                                           member($bob, 'join', 101)]])
{
    my ($what, @o) = @$_;
    my $event = invites($al, 'room-02222222222222222222222222', @o);

    delete $event->{room} if exists $event->{room} && !defined $event->{room};
    like($b->tell($event), qr/\Arejected SW_/, "no replica: $what");
}

is(call('al@t', 'GET', '/v1/rooms/room-02222222222222222222222222')->{status},
   404, 'and there is none');

# The tenant's and the room's limits hold

redis('HSET', 'sw:{t}:tenant', 'max_participants', 8);
is($b->tell($b->event($room, 'bob', 'members', {}, room => $b->room('Mine'),
                      members => [map { member($b->fqid("m$_"), 'join') }
                                  1 .. 50])),
   'rejected SW_ROOM_CAPACITY', 'a room does not grow past our limit');
redis('HDEL', 'sw:{t}:tenant', 'max_participants');
redis('HSET', 'sw:{t}:tenant', 'max_rooms', 1);
is($b->tell(invites($al, 'room-03333333333333333333333333')),
   'applied', 'an invite takes no place in the tenant');
is(call('al@t', 'POST', '/v1/rooms/room-03333333333333333333333333/join')
       ->{code}, 'SW_TENANT_CAPACITY', 'which does not grow past its limit');
redis('HDEL', 'sw:{t}:tenant', 'max_rooms');

# What is late undoes nothing

{
    my $id = 'room-0555555555555555555555555z';
    my ($eve, $carl) = map { $b->fqid($_) } qw(eve carl);
    my $told = sub {
        my ($name, $as_of, @who) = @_;

        return $b->tell($b->event($id, 'bob', 'members', {},
            room => $b->room($name), $as_of ? (as_of => $as_of) : (),
            complete => JSON::PP::true,
            members => [member($ann, 'invite'), member($bob, 'join', 100),
                        map { member($_, 'join') } @who]));
    };
    my $is = sub {
        my $name = call('ann@t', 'GET', "/v1/rooms/$id")->{data}{name};
        my %rows = @{ redis('HGETALL', "sw:{t}:r:$id:members") };

        return join ' ', $name, map { /\A\@(\w+):/ ? $1 : () } sort keys %rows;
    };

    is($b->tell(invites($ann, $id, as_of => 100)), 'applied', 'a room');
    is($told->('Thirty', 130, $eve), 'applied', 'a snapshot');
    is($told->('Twenty', 120, $carl), 'duplicate', 'one that is older');
    is($is->(), 'Thirty bob eve', 'changes nothing');
    is($told->('Thirty', 140, $eve), 'applied', 'one that says the same');
    is($told->('Thirties', 135, $eve), 'duplicate', 'is newer, too');
    is($b->tell($b->event($id, 'bob', 'name', { name => 'Fifty' },
                          as_of => 150, room => $b->room('Fifty'))),
       'applied', 'an event');
    is($told->('Forty', 145, $carl), 'duplicate', 'as is an event');
    is($told->('Fifty', 150, $carl), 'applied', 'as new as that');
    is($is->(), 'Fifty bob carl', 'it sets who is there');
    is($told->('Any', undef, $eve), 'applied', 'one that says nothing of it');
    is($is->(), 'Any bob eve', 'is taken as it comes');

    # two in parts, one between the other's

    my @parts = map {
        my ($name, $first, $last) = @$_;
        my $of = sprintf 'evt-%013x%016x', $first, $first;

        [map { $b->event($id, 'bob', 'members', {}, room => $b->room($name),
                         members => $_->[1], part => { of => $of, n => $_->[0] },
                         $_->[0] ? (complete => JSON::PP::true)
                                 : (id => $of)) }
             [0, [member($bob, 'join', 100), member($last, 'join')]],
             [1, [member($ann, 'invite')]]];
    } ['One', 7001, $eve], ['Two', 7002, $carl];

    is($b->tell($_), 'applied', 'a part')
        for $parts[0][0], $parts[1][0], $parts[0][1];
    is($is->(), 'One bob eve', 'each is complete by itself');
    is($b->tell($parts[1][1]), 'applied', 'the last part of the other one');
    is($is->(), 'Two bob', 'too');
}

# A snapshot sets right what went astray

is($b->tell($b->event($room, 'bob', 'members', {}, complete => JSON::PP::true,
                      room => $b->room('Right'),
                      members => [member($bob, 'join', 100),
                                  member($ann, 'join')])), 'applied',
   'another snapshot');
is(members('ann@t', $room), join(' ', sort "$bob=join=100", 'ann=join'),
   'is how it is');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{data}{name}, 'Right',
   'the name, too');

# Archived, and open again; kicked; declined

is($b->tell($b->event($room, 'bob', 'state', { state => 'archived' },
                      room => $b->room('Right', state => 'archived'))),
   'applied', 'archived');
is(call('ann@t', 'POST', "/v1/rooms/$room/send", { content => {} })->{code},
   'SW_ROOM_FROZEN', 'is frozen');
is($b->tell($b->event($room, 'bob', 'state', { state => 'open' },
                      room => $b->room('Right'))), 'applied', 'open again');
is($b->tell($b->event($room, 'bob', 'member',
                      { fqid => $ann, membership => 'leave',
                        reason => 'bye' },
                      room => $b->room('Right'),
                      members => [member($ann, 'leave')])), 'applied',
   'kicked');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{status}, 404, 'is out');

$room = 'room-04444444444444444444444444';
is($b->tell(invites($ann, $room)), 'applied', 'another invite');
is(call('ann@t', 'POST', "/v1/rooms/$room/leave")->{data}{membership},
   'leave', 'is declined, with its home away');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{status}, 404, 'and gone');
like(outbox($b)->[-1], qr/\Q$room\E/, 'its home will be told');

# A DM

my $dm = 'room-05555555555555555555555555';
my @sides = (member($bob, 'join', 100), member($ann, 'join', 100));
my %dm = (room_type => 'dm', creator => $bob);

is($b->tell($b->event($dm, 'bob', 'create', {}, room => $b->room(undef, %dm),
                      members => [@sides, member($al, 'join')])),
   'rejected SW_VALIDATION_FAILED', 'a DM of three');
is($b->tell($b->event($dm, 'bob', 'create', {}, room => $b->room(undef, %dm),
                      members => [member($b->fqid('eve'), 'join', 100),
                                  member($ann, 'join', 100)])),
   'rejected SW_VALIDATION_FAILED', 'a DM of others');
is($b->tell($b->event($dm, 'bob', 'create', {}, room => $b->room(undef, %dm),
                      members => \@sides)), 'applied', 'a DM');
$seen = call('ann@t', 'GET', "/v1/rooms/$dm")->{data};
is($seen->{room_type} . $seen->{me}{membership} . $seen->{name},
   'dmjoinBob', 'is one here, with the name of the other side');
is(call('ann@t', 'POST', '/v1/me/federated-dms', { fqid => $bob })->{data}{id},
   $dm, 'and ours');
is(call('ann@t', 'POST', "/v1/rooms/$dm/send",
        { content => { body => 'yes' } })->{status}, 201, 'to be answered');

unlike(nginx_log(), qr/\[(?:alert|crit)\]|signal/, 'the log is clean');

stop_nginx();

done_testing();
