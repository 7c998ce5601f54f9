# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Participants whose ids no fqid could hold, in rooms of two servers: others
# know them by their local id, and nothing here mistakes them for somebody.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Deployment;

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my ($a, $b) = map { RoomsTest::Deployment->new($_, "$dir") } qw(a b);

$_->start for $a, $b;

END { local $?; $_ && $_->stop for $a, $b }

sub soon {
    my ($code) = @_;
    my $deadline = time + 30;

    until ($code->()) {
        return 0 if time > $deadline;
        sleep 0.05;
    }

    return 1;
}

sub bodies {
    my ($server, $who, $room) = @_;

    return join ' ', map { $_->{content}{body} // () }
                     $server->events($who, $room);
}

sub sender {
    my ($server, $who, $room, $body) = @_;
    my ($event) = grep { ($_->{content}{body} // '') eq $body }
                  $server->events($who, $room);

    return $event ? $event->{sender_id} : 'nobody';
}

my $ann = 'auth0|64"f\\0/%2F=x';
my $bob = '/evt-1@x:y';
my ($ann_local, $bob_local) =
    map { $_->[0]->call($_->[1], 'POST', '/v1/auth/register')
              ->{data}{local_id} } [$a, $ann], [$b, $bob];

is($ann_local, 'auth0-64-f-0-2F-x', 'a local id is made of an odd id');
is($bob_local, 'evt-1@x-y', 'of another one');

$a->policy({ allowed_peers => [$b->name] });
$b->policy({ allowed_peers => [$a->name] });

my $room = $a->call($ann, 'POST', '/v1/rooms',
                    { room_type => 'group', name => 'Odd' })->{data}{id};

$a->federate($room, 1);
is($a->call($ann, 'POST', "/v1/rooms/$room/invitations",
            { fqid => $b->fqid($bob_local) })->{status}, 200, 'an invite');
ok(soon(sub { $b->call($bob, 'GET', "/v1/rooms/$room")->{status} == 200 }),
   'arrives');
is($b->call($bob, 'POST', "/v1/rooms/$room/join")->{status}, 200,
   'it is accepted');
ok(soon(sub { $a->members($ann, $room) =~ /\Q@{[$b->fqid($bob_local)]}=join/ }),
   'which the room\'s home hears of') or diag $a->members($ann, $room);
ok(soon(sub { $b->members($bob, $room)
              eq join ' ', sort $a->fqid($ann_local) . '=join=100',
                                "$bob=join" }),
   'and the others there are known') or diag $b->members($bob, $room);

$a->call($ann, 'POST', "/v1/rooms/$room/send",
         { content => { body => "a$_" } }) for 1 .. 3;
ok(soon(sub { bodies($b, $bob, $room) eq 'a1 a2 a3' }),
   'what is written at home is read elsewhere');
is(sender($b, $bob, $room, 'a1'), $a->fqid($ann_local), 'by its sender');
$b->call($bob, 'POST', "/v1/rooms/$room/send",
         { content => { body => "b$_" } }) for 1 .. 3;
ok(soon(sub { bodies($a, $ann, $room) eq 'a1 a2 a3 b1 b2 b3' }),
   'and the other way round');
is(sender($a, $ann, $room, 'b1'), $b->fqid($bob_local), 'by its sender');

# one's own stays one's own on the replica, too

my ($b1) = grep { ($_->{content}{body} // '') eq 'b1' }
           $b->events($bob, $room);

is($b->call($bob, 'POST', "/v1/rooms/$room/events/$b1->{id}/edit",
            { content => { body => 'b9' } })->{status}, 200,
   'a message of one\'s own is edited');
ok(soon(sub { bodies($a, $ann, $room) =~ /b9/ }), 'at home, too');

is($a->call($ann, 'PUT', "/v1/rooms/$room/members/"
            . RoomsTest::Deployment::escape($b->fqid($bob_local))
            . '/power-level', { power_level => 50 })->{status}, 200,
   'power for one of the other server');
ok(soon(sub { $b->members($bob, $room) =~ /\Q$bob=join=50/ }),
   'is known there by the id');

# a DM, and an end

my $dm = $b->call($bob, 'POST', '/v1/me/federated-dms',
                  { fqid => $a->fqid($ann_local) });

is($dm->{status}, 201, 'a DM') or diag $dm->{message};
ok(soon(sub {
       grep { ($_->{room_type} // '') eq 'dm' }
            @{$a->call($ann, 'GET', '/v1/directory/rooms')->{data} // []};
   }), 'is with the one who is meant');

is($a->call($ann, 'POST', "/v1/rooms/$room/kick",
            { participant_id => $b->fqid($bob_local) })->{status}, 200,
   'a kick');
ok(soon(sub { $b->call($bob, 'GET', "/v1/rooms/$room")->{status} == 404 }),
   'takes the right one out');

unlike($_->log, qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log')
    for $a, $b;

done_testing();
