# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Three servers, of which one or another is away, and whatever participants do
# meanwhile: when all are back, a room is the same on each that has somebody
# in it, and what the stores count is right.  TEST_ROOMS_SEED and
# TEST_ROOMS_STEPS make it another, or a longer, story.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Deployment;
use RoomsTest::Roomsctl;
use RoomsTest::Row;

my $steps = $ENV{TEST_ROOMS_STEPS} // 250;
my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my @all = map { RoomsTest::Deployment->new($_, "$dir") } qw(a b c);
my %people = (0 => [qw(ann al)], 1 => [qw(bob bill)], 2 => [qw(carl cid)]);
my ($n, $some, %answers) = (0, 0);

seeded(7);
$_->start for @all;

END { local $?; $_ && $_->stop for @all }

sub escape { RoomsTest::Deployment::escape($_[0]) }

for my $i (0 .. 2) {
    $all[$i]->call($_, 'POST', '/v1/auth/register') for @{ $people{$i} };
    $all[$i]->policy({ allowed_peers => [map { $_->name }
                                         grep { $_ != $all[$i] } @all] });
}

my @rooms = map {
    my $room = $all[$_]->call($people{$_}[0], 'POST', '/v1/rooms',
                              { room_type => $_ ? 'public' : 'group',
                                name => "Room $_" })->{data}{id};

    $all[$_]->federate($room, 1);
    $room;
} 0, 1;

# One of the participants does something to another, somewhere.

my @deeds = (
    (sub {
        my ($server, $who, $room, $whom, $foreign) = @_;

        return $foreign ? [$who, 'POST', "/v1/rooms/$room/invitations",
                           { fqid => $whom }]
                        : [$who, 'POST', "/v1/rooms/$room/invite",
                           { participant_id => $whom }];
    }) x 2,
    (sub { [$_[1], 'POST', "/v1/rooms/$_[2]/join"] }) x 3,
    (sub { [$_[1], 'POST', "/v1/rooms/$_[2]/send",
            { content => { body => 'm' . ++$n } }] }) x 3,
    (map {
        my $deed = $_;

        sub { [$_[1], 'POST', "/v1/rooms/$_[2]/$deed",
               { participant_id => $_[3] }] };
    } qw(kick ban unban)),
    (map {
        my $path = $_;

        sub {
            my ($server, $who, $room) = @_;
            my @said = grep { $_->{event_type} eq 'swp.room.message' }
                       $server->events($who, $room) or return undef;
            my $id = $said[rand @said]{id};

            return [$who, $path eq 'read' ? ('PUT', "/v1/rooms/$room/read")
                          : ('POST', "/v1/rooms/$room/events/$id/$path"),
                    { event_id => $id, content => { body => 'e' . ++$n } }];
        };
    } qw(edit redact redact read read)),
    sub { ['root', 'POST', "/v1/admin/rooms/$_[2]/federation/backfill",
           { limit => 20 }] },
    sub { [$_[1], 'PUT', "/v1/rooms/$_[2]/members/" . escape($_[3])
           . '/power-level', { power_level => (0, 50, 100)[rand 3] }] },
    sub { [$_[1], 'PUT', "/v1/rooms/$_[2]/name", { name => 'N' . ++$n }] },
    sub { [$_[1], 'PUT', "/v1/rooms/$_[2]/topic", { topic => 'T' . ++$n }] },
    sub { rand() < 0.3 ? [$_[1], 'POST', "/v1/rooms/$_[2]/leave"] : undef },
    sub { rand() < 0.3 ? [$_[1], 'POST', "/v1/rooms/$_[2]/"
                          . (qw(archive rejoin))[rand 2]] : undef },
    (sub {
        my ($server, $who, $room, $whom, $foreign) = @_;

        return undef unless $foreign;

        my $dm = $server->call($who, 'POST', '/v1/me/federated-dms',
                               { fqid => $whom })->{data}{id} // return undef;

        return [$who, 'POST', "/v1/rooms/$dm/" . (qw(close archive))[rand 2]]
            if rand() < 0.3;
        return [$who, 'POST', "/v1/rooms/$dm/send",
                { content => { body => 'd' . ++$n } }];
    }) x 2,
);

for (1 .. $steps) {
    my ($i, $j) = (int rand 3, int rand 3);
    my ($who, $other) = map { $people{$_}[rand 2] } $i, $j;
    my $server = $all[$i];

    if (!$server->{nginx}) {
        $server->start if rand() < 0.2;
        next;
    }

    if (rand() < 0.04) {
        $server->stop_nginx;
        next;
    }

    my $whom = $i == $j ? $other : $all[$j]->fqid($other);
    my $call = $deeds[rand @deeds]->($server, $who, $rooms[rand @rooms],
                                     $whom, $i != $j);

    $answers{$server->call(@$call)->{status}}++ if $call;
    sleep rand 0.05 if rand() < 0.3;
}

cmp_ok(($answers{200} // 0) + ($answers{201} // 0), '>', 10,
       'much was done');
ok(!$answers{0} && !$answers{500}, 'and nothing failed')
    or diag(explain(\%answers));

# All are back, tell each other what waits, and end what has to

$_->{nginx} or $_->start for @all;

my ($quiet, $deadline) = (0, time + 60);

while ($quiet < 2 && time < $deadline) {
    for my $server (@all) {
        $server->admin('POST', '/v1/admin/federation/peers/'
                       . escape($_->name) . '/retry')
            for grep { $_ != $server } @all;
    }

    sleep 0.5;
    $quiet = (grep { $_->store('ZCARD', 'sw:{t}:outboxes')
                     || $_->store('ZCARD', 'sw:{t}:endings') } @all)
             ? 0 : $quiet + 1;
}

ok($quiet >= 2, 'nothing waits any more');

# A room as a store has it; members by their names.
sub room_at {
    my ($server, $room) = @_;
    my $key = "sw:{t}:r:$room";
    my %room = $server->store('HGETALL', $key);

    return undef unless $room{meta};

    my %rows = $server->store('HGETALL', "$key:members");
    my %locals = reverse $server->store('HGETALL', 'sw:{t}:locals');
    my %count = map { $_ => 0 } qw(joined invited admins);

    for my $id (keys %rows) {
        my ($membership, $power) = split ' ', $rows{$id};
        my $name = $id =~ /\A\@/ ? $id : $server->fqid($locals{$id} // $id);

        $room{members}{$name} = $membership
                                . ($membership eq 'join' ? " $power" : '');
        $count{joined}++ if $membership eq 'join';
        $count{admins}++ if $membership eq 'join' && $power == 100;
        $count{invited}++ if $membership eq 'invite';
    }

    for (keys %count) {
        $room{wrong} .= " $_" if ($room{$_} // 0) != $count{$_};
    }

    my @bodies = map { $_->{content}{body} // () }
                 grep { $_->{event_type} eq 'swp.room.message' }
                 map { row_event($_) // () }
                 $server->store('ZRANGE', "$key:events", 0, -1);
    my %twice;

    $room{wrong} .= " $_ twice" for grep { $twice{$_}++ } @bodies;

    return \%room;
}

# Those of a server who are in the room, as another one has it.
sub there {
    my ($room, $server, $how) = @_;

    return grep { /:\Q$server->{name}\E\z/
                  && $room->{members}{$_} =~ /\A$how/ }
           sort keys %{ $room->{members} // {} };
}

sub told {
    my ($value) = @_;

    return ref $value ? join(', ', map { "$_=$value->{$_}" } sort keys %$value)
                      : $value // '';
}

my (%ids, @wrong);

for my $server (@all) {
    m{r:(room-[0-9a-z]+)\z} and $ids{$1} = 1
        for $server->store('KEYS', 'sw:{t}:r:room-*');
}

for my $id (sort keys %ids) {
    my @at = map { room_at($_, $id) } @all;
    my ($home) = grep { $at[$_] && !$at[$_]{origin} } 0 .. 2;

    for my $i (grep { $at[$_] } 0 .. 2) {
        my ($here, $told) = ($at[$i], $at[$home]);

        push @wrong, "$id at $i:$here->{wrong}" if $here->{wrong};

        next if $i == $home;

        # who is merely invited is told of nobody else

        my @fields = there($told, $all[$i], 'join')
                     ? qw(members name topic state)
                     : there($told, $all[$i], 'invite')
                     ? qw(name topic state) : ();

        for my $field (@fields) {
            my ($is, $should) = map { told($_->{$field}) } $here, $told;

            push @wrong, "$id at $i: $field: $is\n    at home: $should"
                if $is ne $should;
        }

        push @wrong, "$id at $i: in it, but not at home: $_"
            for @fields ? () : there($here, $all[$i], '(?:join|invite)');
    }
}

# What is unread, counted: messages that exist, behind the read marker and the
# member's own join, and not of a replica's history.

for my $i (0 .. 2) {
    my $server = $all[$i];

    for my $id (grep { room_at($server, $_) } sort keys %ids) {
        my $key = "sw:{t}:r:$id";
        my ($low) = split ' ', $server->store('HGET', $key, 'history') // '';
        my %rows = $server->store('HGETALL', "$key:members");
        my @said = grep { !defined $low || $_ >= $low + 10_000 }
                   map { $_->{stream_position} }
                   grep { $_->{event_type} eq 'swp.room.message'
                          && !defined $_->{redacted_at}
                          && !$_->{content}{replaces} }
                   map { row_event($_) // () }
                   $server->store('ZRANGE', "$key:events", 0, -1);

        for my $who (grep { $rows{$_} =~ /\Ajoin/ && !/\A\@/ }
                     sort keys %rows)
        {
            my $read = $server->store('HGET', "$key:own", "read $who") // '0';
            my $from = max((split ' ', $rows{$who})[3], $read =~ /\A(\d+)/);
            my $me = $server->call($who, 'GET', "/v1/rooms/$id")->{data}{me};
            my $unread = grep { $_ > $from } @said;

            push @wrong, "$id at $i: $who has $me->{unread_count} unread, not "
                         . $unread if $me->{unread_count} != $unread;
            $some += $unread > 0;
        }
    }
}

for my $i (0 .. 2) {
    my $server = $all[$i];
    my %dms = $server->store('HGETALL', 'sw:{t}:dms');
    my $open = 0;

    for (keys %ids) {
        my $state = $server->store('HGET', "sw:{t}:r:$_", 'state') // '';

        # what nobody has accepted doesn't count
        next if $server->store('HGET', "sw:{t}:r:$_", 'unaccepted');

        $open++ if $state =~ /\A(?:open|archived)\z/;
    }

    my $counted = $server->store('HGET', 'sw:{t}:tenant', 'rooms') || 0;

    push @wrong, "rooms at $i: $counted counted, $open there"
        if $counted != $open;

    for (sort keys %dms) {
        my $state = $server->store('HGET', "sw:{t}:r:$dms{$_}", 'state') // '';

        push @wrong, "dms at $i: $_ is $dms{$_}, $state"
            unless $state =~ /\A(?:open|archived)\z/;
    }
}

is(join("\n", @wrong), '', 'all is the same everywhere');
cmp_ok($some, '>', 0, 'somebody has unread messages');
unlike($_->log, qr/\[(?:alert|crit)\]|exited on signal|no valid|the store has/,
       'the log of ' . $_->name . ' is clean') for @all;

SKIP: {
    skip('missing: ' . roomsctl_missing(), scalar @all) if roomsctl_missing();

    is(roomsctl('-u', "redis://127.0.0.1:$_->{store}", 'verify', 't'),
       "tenant t: nothing differs\n", 'the indexes of ' . $_->name) for @all;
}

done_testing();
