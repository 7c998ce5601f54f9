# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Three deployments, each with a store and keys of its own, share rooms.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Deployment;

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my ($a, $b, $c) = map { RoomsTest::Deployment->new($_, "$dir") } qw(a b c);
my @all = ($a, $b, $c);

$_->start for @all;

END { local $?; $_ && $_->stop for @all }

sub soon {
    my ($code, $seconds) = @_;
    my $deadline = time + ($seconds // 15);

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

$a->call('ann', 'POST', '/v1/auth/register');
$a->call('al', 'POST', '/v1/auth/register');
$b->call('bob', 'POST', '/v1/auth/register');
$c->call('carl', 'POST', '/v1/auth/register');

for my $one (@all) {
    $one->policy({ allowed_peers => [map { $_->name } grep { $_ != $one }
                                     @all] });
}

# Invite, accept, read and write

my $room = $a->call('ann', 'POST', '/v1/rooms',
                    { room_type => 'group', name => 'Shared' })->{data}{id};

$a->call('ann', 'POST', "/v1/rooms/$room/send",
         { content => { body => 'before' } });
$a->federate($room, 1);
is($a->call('ann', 'POST', "/v1/rooms/$room/invitations",
            { fqid => $b->fqid('bob') })->{status}, 200, 'an invite');
ok(soon(sub { $b->call('bob', 'GET', "/v1/rooms/$room")->{status} == 200 }),
   'arrives');
is($b->call('bob', 'GET', "/v1/rooms/$room")->{data}{name}, 'Shared',
   'with the room\'s name');
is($b->call('bob', 'POST', "/v1/rooms/$room/join")->{status}, 200,
   'it is accepted');
ok(soon(sub { $a->members('ann', $room) =~ /\@bob:\S+=join/ }),
   'which the room\'s home hears of');
ok(soon(sub { $b->members('bob', $room)
              eq join ' ', sort $a->fqid('ann') . '=join=100', 'bob=join' }),
   'and the others there are known');

$a->call('ann', 'POST', "/v1/rooms/$room/send",
         { content => { body => "a$_" } }) for 1 .. 5;
ok(soon(sub { bodies($b, 'bob', $room) eq 'a1 a2 a3 a4 a5' }),
   'what is written at home is read elsewhere, in order')
    or diag(bodies($b, 'bob', $room));
$b->call('bob', 'POST', "/v1/rooms/$room/send",
         { content => { body => "b$_" } }) for 1 .. 5;
ok(soon(sub { bodies($a, 'ann', $room)
              eq 'before a1 a2 a3 a4 a5 b1 b2 b3 b4 b5' }),
   'and the other way round') or diag(bodies($a, 'ann', $room));

my ($from_b) = grep { ($_->{content}{body} // '') eq 'b1' }
               $a->events('ann', $room);

is($from_b->{sender_id}, $b->fqid('bob'), 'by its sender');

# A third server, invited by a guest

is($b->call('bob', 'POST', "/v1/rooms/$room/invitations",
            { fqid => $c->fqid('carl') })->{status}, 200,
   'a guest invites from a third server');
ok(soon(sub { $c->call('carl', 'GET', "/v1/rooms/$room")->{status} == 200 }),
   'by way of the room\'s home');
$c->call('carl', 'POST', "/v1/rooms/$room/join");
ok(soon(sub { $b->members('bob', $room) =~ /\@carl:\S+=join/ }),
   'all hear of the join');
$c->call('carl', 'POST', "/v1/rooms/$room/send",
         { content => { body => 'c1' } });
ok(soon(sub { bodies($b, 'bob', $room) =~ /c1/ }),
   'one guest reads what another writes');
ok(soon(sub { bodies($a, 'ann', $room) =~ /c1/ }), 'and so does the home');

# Edits, reactions, redactions, by those who may

my ($c1) = grep { ($_->{content}{body} // '') eq 'c1' }
           $c->events('carl', $room);

$c->call('carl', 'POST', "/v1/rooms/$room/events/$c1->{id}/edit",
         { content => { body => 'c2' } });
ok(soon(sub { bodies($b, 'bob', $room) =~ /c2/
              && bodies($b, 'bob', $room) !~ /c1/ }), 'an edit arrives');

my ($at_b) = grep { ($_->{content}{body} // '') eq 'c2' }
             $b->events('bob', $room);

is($b->call('bob', 'POST', "/v1/rooms/$room/events/$at_b->{id}/reaction",
            { emoji => '+1' })->{status}, 200, 'a reaction');
ok(soon(sub { grep { $_->{event_type} eq 'swp.room.reaction'
                     && $_->{sender_id} eq $b->fqid('bob')
                     && $_->{content}{event_id} eq $c1->{id} }
              $c->events('carl', $room) }),
   'arrives where the message was made, and means it');

my ($at_a) = grep { ($_->{content}{body} // '') eq 'c2' }
             $a->events('ann', $room);

$a->call('ann', 'POST', "/v1/rooms/$room/events/$at_a->{id}/redact", {});
ok(soon(sub { bodies($b, 'bob', $room) !~ /c2/
              && bodies($c, 'carl', $room) !~ /c2/ }),
   'a redaction wipes everywhere');

# The home's decisions

$a->call('ann', 'PUT', "/v1/rooms/$room/name", { name => 'Renamed' });
ok(soon(sub { ($c->call('carl', 'GET', "/v1/rooms/$room")->{data}{name} // '')
              eq 'Renamed' }), 'a name');
is($b->call('bob', 'PUT', "/v1/rooms/$room/topic", { topic => 'x' })->{code},
   'SW_ROOM_FORBIDDEN', 'a guest without power');
$a->call('ann', 'PUT', "/v1/rooms/$room/members/"
         . RoomsTest::Deployment::escape($b->fqid('bob')) . '/power-level',
         { power_level => 60 });
ok(soon(sub { $b->call('bob', 'GET', "/v1/rooms/$room")
              ->{data}{me}{power_level} == 60 }), 'gets some');
is($b->call('bob', 'PUT', "/v1/rooms/$room/topic", { topic => 'x' })
       ->{status}, 200, 'and uses it');
ok(soon(sub { ($a->call('ann', 'GET', "/v1/rooms/$room")->{data}{topic} // '')
              eq 'x' }), 'at the room\'s home, too');
ok(soon(sub { ($c->call('carl', 'GET', "/v1/rooms/$room")->{data}{topic}
               // '') eq 'x' }), 'and elsewhere');
is($b->call('bob', 'POST', "/v1/rooms/$room/kick",
            { participant_id => $c->fqid('carl') })->{status}, 200,
   'a guest kicks another');
ok(soon(sub { $c->call('carl', 'GET', "/v1/rooms/$room")->{status} == 404 }),
   'who is out');
ok(soon(sub { $a->members('ann', $room) !~ /carl/ }), 'for all');

# One that is away

$b->stop;

$a->call('ann', 'POST', "/v1/rooms/$room/send",
         { content => { body => 'x' } });

my $t = time;

$a->call('ann', 'POST', "/v1/rooms/$room/send",
         { content => { body => "away$_" } }) for 1 .. 10;
cmp_ok((time - $t) / 10, '<', 1, 'a server that is away slows nobody');
ok(soon(sub { my ($row) = grep { $_->{server_name} eq $b->name }
                          @{ $a->admin('GET', '/v1/admin/federation/peers')
                             ->{data} };
              $row->{outbox}{pending} >= 11 && $row->{outbox}{failures} > 0
              && $row->{last_error} }),
   'the admin sees what waits for it');
$b->start;
$b->call('bob', 'POST', "/v1/rooms/$room/send",
         { content => { body => 'back' } });
ok(soon(sub { bodies($b, 'bob', $room)
              =~ /x away1 away2 .*away9 away10/ }, 20),
   'it is told when it is back, at once, since it asked for something')
    or diag(bodies($b, 'bob', $room));
ok(soon(sub { bodies($a, 'ann', $room) =~ /back/ }), 'and tells');

# The room's home is away

$a->stop;
is($b->call('bob', 'POST', "/v1/rooms/$room/send",
            { content => { body => "alone$_" } })->{status}, 201,
   "written with the home away: $_") for 1 .. 3;

# the key changes while events wait

$b->new_key;
$b->reload;
$a->start;
ok(soon(sub { bodies($a, 'ann', $room) =~ /alone1 alone2 alone3/ }, 30),
   'what was written meanwhile arrives, signed with the new key')
    or diag(bodies($a, 'ann', $room));

# A store that restarts

$b->restart_redis;
$a->call('ann', 'POST', "/v1/rooms/$room/send",
         { content => { body => 'redis' } });
ok(soon(sub { bodies($b, 'bob', $room) =~ /redis/ }, 30),
   'a store that restarts loses nothing');

# Each event once, on both sides

my %seen;
my @twice = grep { $seen{$_}++ } map { $_->{content}{body} // () }
            $a->events('ann', $room);

is("@twice", '', 'nothing came twice to a');
%seen = ();
@twice = grep { $seen{$_}++ } map { $_->{content}{body} // () }
         $b->events('bob', $room);
is("@twice", '', 'nor to b');

# Backfill

my $res = $b->admin('POST', "/v1/admin/rooms/$room/federation/backfill",
                    { limit => 100 });

is($res->{status}, 200, 'backfill') or diag($res->{code});
is(scalar @{ $res->{data}{rejected} }, 0, 'nothing is rejected');
cmp_ok($res->{data}{imported}, '>=', 1, 'something is imported');
ok(bodies($b, 'bob', $room) =~ /\Abefore a1 /,
   'what was said before the invite stands before it')
    or diag(bodies($b, 'bob', $room));
is($b->admin('POST', "/v1/admin/rooms/$room/federation/backfill", {})
       ->{data}{imported}, 0, 'once');

# DMs

my $dm = $a->call('ann', 'POST', '/v1/me/federated-dms',
                  { fqid => $b->fqid('bob') })->{data}{id};

ok(soon(sub { $b->call('bob', 'GET', "/v1/rooms/$dm")->{status} == 200 }),
   'a DM arrives');
is($b->call('bob', 'GET', "/v1/rooms/$dm")->{data}{name}, 'ann',
   'called by the other side');
$b->call('bob', 'POST', "/v1/rooms/$dm/send", { content => { body => 'd' } });
ok(soon(sub { bodies($a, 'ann', $dm) eq 'd' }), 'and is answered');

# An invite that is declined while its home is away

my $other = $a->call('ann', 'POST', '/v1/rooms',
                     { room_type => 'group', name => 'Other' })->{data}{id};

$a->federate($other, 1);
$a->call('ann', 'POST', "/v1/rooms/$other/invitations",
         { fqid => $b->fqid('bob') });
ok(soon(sub { $b->call('bob', 'GET', "/v1/rooms/$other")->{status} == 200 }),
   'another invite');
$a->stop;
is($b->call('bob', 'POST', "/v1/rooms/$other/leave")->{status}, 200,
   'is declined');
is($b->call('bob', 'GET', "/v1/rooms/$other")->{status}, 404, 'at once');
$a->start;
ok(soon(sub { $a->members('ann', $other) !~ /bob/ }, 30),
   'its home hears of it later');

# Federation ends

$a->call('ann', 'POST', "/v1/rooms/$other/invitations",
         { fqid => $b->fqid('bob') });
ok(soon(sub { $b->call('bob', 'GET', "/v1/rooms/$other")->{status} == 200 }),
   'an invite');
$b->call('bob', 'POST', "/v1/rooms/$other/join");
ok(soon(sub { $a->members('ann', $other) =~ /\@bob:\S+=join/ }),
   'is accepted');
$a->federate($other, 0);
ok(soon(sub { $a->members('ann', $other) eq 'ann=join=100' }),
   'federation is switched off: who is foreign leaves')
    or diag($a->members('ann', $other));
ok(soon(sub { $b->members('bob', $other) !~ /ann/ }), 'on both sides')
    or diag($b->members('bob', $other));
$b->call('bob', 'POST', "/v1/rooms/$other/send",
         { content => { body => 'nobody hears' } });
sleep 1;
unlike(bodies($a, 'ann', $other), qr/nobody/, 'and nothing is told any more');

$a->policy({ default_mode => 'allowlist', allowed_peers => [$a->name] });
ok(soon(sub { $a->members('ann', $room) !~ /bob/ }, 15),
   'a server that is taken off the policy has nobody here');
is(scalar(grep { ($_->{content}{reason} // '') =~ /federation/ }
          $a->events('ann', $room)) > 0, 1, 'which an event says');
$a->call('ann', 'POST', "/v1/rooms/$room/send",
         { content => { body => 'secret' } });
sleep 1;
unlike(bodies($b, 'bob', $room), qr/secret/, 'and is told nothing');

# A DM is its two sides: one that has lost a side is closed, and makes room

ok(soon(sub { $a->call('ann', 'GET', "/v1/rooms/$dm")->{data}{state}
              eq 'closed' }), 'a DM with somebody there is closed');
is($a->call('ann', 'POST', '/v1/me/federated-dms',
            { fqid => $b->fqid('bob') })->{code}, 'SW_FED_POLICY',
   'there is no other meanwhile');
$a->policy({ allowed_peers => [$b->name, $c->name] });

my $fresh = $a->call('ann', 'POST', '/v1/me/federated-dms',
                     { fqid => $b->fqid('bob') });

is($fresh->{status}, 201, 'and one when federation is on again');
$fresh = $fresh->{data}{id};
$a->call('ann', 'POST', "/v1/rooms/$fresh/send",
         { content => { body => 'again' } });
ok(soon(sub { bodies($b, 'bob', $fresh) eq 'again' }),
   'which the other side has, too');
is($b->call('bob', 'GET', "/v1/rooms/$dm")->{data}{state}, 'closed',
   'instead of the old one');
$b->call('bob', 'POST', "/v1/rooms/$fresh/send",
         { content => { body => 'yes' } });
ok(soon(sub { bodies($a, 'ann', $fresh) eq 'again yes' }), 'and answers in');

# Who was made to leave, and hasn't heard of it, is invited again

is($b->call('bob', 'GET', "/v1/rooms/$room")->{data}{me}{membership}, 'join',
   'who was made to leave there knows nothing of it');
$a->call('ann', 'POST', "/v1/rooms/$room/invitations",
         { fqid => $b->fqid('bob') });
ok(soon(sub { $b->call('bob', 'GET', "/v1/rooms/$room")
                  ->{data}{me}{membership} eq 'invite' }),
   'but is invited again');
$b->call('bob', 'POST', "/v1/rooms/$room/join");
ok(soon(sub { $a->members('ann', $room) =~ /\@bob:\S+=join/ }),
   'and comes back');

unlike($_->log, qr/\[(?:alert|crit)\]|exited on signal/,
       'the log of ' . $_->name . ' is clean') for @all;

done_testing();
