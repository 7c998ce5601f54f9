# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Who is deactivated and erased here leaves the rooms of other servers, too, and
# what they said is redacted there, wherever the room is at home.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Deployment;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Topology qw(redis_cli);

my $dir = File::Temp->newdir('rooms-gone-XXXXXXXX', TMPDIR => 1);
my ($a, $b) = map { RoomsTest::Deployment->new($_, "$dir") } qw(a b);
my $long = 90 * patience();

for my $node ($a, $b) {
    $node->start;
    wait_for(30, sub { $node->admin('GET', '/v1/workspaces')->{status}
                       == 200 });
    $node->policy({ default_mode => 'open',
                    allowed_peers => [$a->name, $b->name] });
}

$a->call($_, 'POST', '/v1/auth/register') for qw(ann amy);
$b->call($_, 'POST', '/v1/auth/register') for qw(bea);

# a room of each server, with people of both; and a DM
sub room {
    my ($home, $owner, $away, @guests) = @_;
    my $room = $home->call($owner, 'POST', '/v1/rooms',
                           { room_type => 'group', name => 'Room' })
               ->{data}{id};

    $home->federate($room, 1);

    for my $guest (@guests) {
        $home->call($owner, 'POST', "/v1/rooms/$room/invitations",
                    { fqid => $away->fqid($guest) });
        ok(wait_for($long, sub {
            $away->call($guest, 'POST', "/v1/rooms/$room/join")->{status}
            == 200 }), "$guest joins");

        # they hear of it later than the guest does
        my $fqid = $away->fqid($guest);

        ok(wait_for($long, sub {
            $home->members($owner, $room) =~ /\Q$fqid\E=join/ }),
           '... and is a member there');
    }

    return $room;
}

sub says {
    my ($node, $who, $room, $text) = @_;

    return $node->call($who, 'POST', "/v1/rooms/$room/send",
                       { content => { body => $text } })->{data}{id};
}

sub texts {
    my ($node, $who, $room) = @_;

    return join ',', map { $_->{content}{body} // '-' }
           grep { $_->{event_type} eq 'swp.room.message' }
           $node->events($who, $room);
}

my $ours = room($a, 'ann', $b, 'bea');

$a->call('ann', 'POST', "/v1/rooms/$ours/invite",
         { participant_id => 'amy' });
$a->call('amy', 'POST', "/v1/rooms/$ours/join");

my $theirs = room($b, 'bea', $a, 'ann', 'amy');
my $dm = $a->call('ann', 'POST', '/v1/me/federated-dms',
                  { fqid => $b->fqid('bea') })->{data}{id};

my $alone = room($b, 'bea', $a, 'ann');
my $frozen = room($b, 'bea', $a, 'ann', 'amy');
my $refused = room($b, 'bea', $a, 'ann');

for my $room ($ours, $theirs, $dm, $alone, $frozen, $refused) {
    says($a, 'ann', $room, 'Ann');
    ok(wait_for($long, sub { texts($b, 'bea', $room) eq 'Ann' }),
       'they read it');
}

# whom one finds of another server
my $bea = $b->fqid('bea');
my $people = '/v1/directory/participants';

is_deeply([map { $_->{id} } @{$a->call('amy', 'GET', "$people?q=bea")->{data}}],
          [], 'nobody of another server, unless asked for');

my ($row) = @{$a->call('amy', 'GET', "$people?q=bea&include_federated=true")
              ->{data}};

is_deeply([@{$row // {}}{qw(id local_id server_name fqid participant_type)}],
          [$bea, 'bea', $b->name, $bea, 'federated'], 'then they are found');
is($a->call('amy', 'GET', "/v1/participants/$bea")->{data}{fqid}, $bea,
   'and shown by their name');
is_deeply([map { $_->{id} } @{$a->call('amy', 'GET', "$people?type=federated"
                                       . '&include_federated=true')->{data}}],
          [$bea], 'and by their type');

# one room is frozen when she goes, and in one they don't know her message
$b->call('bea', 'POST', "/v1/rooms/$frozen/archive");
ok(wait_for($long, sub { $a->call('amy', 'GET', "/v1/rooms/$frozen")
                         ->{data}{state} eq 'archived' }), 'frozen');
redis_cli($b->{store}, 'DEL', "sw:{t}:r:$refused:uuids");

my $ann = $a->fqid('ann');
my $admin = '/v1/admin/participants/ann';

is($a->admin('POST', "$admin/deactivate")->{status}, 200, 'deactivated');

for my $room ($ours, $theirs, $alone) {
    ok(wait_for($long, sub { $b->members('bea', $room) !~ /\Q$ann\E/ }),
       'they see that Ann has left') or diag($b->members('bea', $room));
}

like($b->members('bea', $ours), qr/bea=join=100/,
     'and who comes after her');
ok(wait_for($long, sub { $b->call('bea', 'GET', "/v1/rooms/$dm")
                         ->{data}{state} eq 'archived' }),
   'the DM is archived there, too');

# they can't bring her back
$b->call('bea', 'POST', "/v1/rooms/$theirs/invitations", { fqid => $ann });
$b->call('bea', 'POST', '/v1/me/federated-dms', { fqid => $ann });
says($b, 'bea', $theirs, 'Bea');
ok(wait_for($long, sub { texts($a, 'amy', $theirs) =~ /Bea/ }),
   'what is said afterwards comes');
unlike($a->members('amy', $theirs), qr/ann=join/,
       'whoever they invite, she isn\'t there');

is($a->admin('POST', "$admin/erase")->{status}, 202, 'erased');

ok(wait_for($long, sub { texts($b, 'bea', $ours) !~ /Ann/ }),
   'they redact what she said in a room of ours')
    or diag(texts($b, 'bea', $ours));
ok(wait_for($long, sub { texts($a, 'amy', $theirs) !~ /Ann/ }),
   'and we what she said in one of theirs');

for my $room ($theirs, $alone, $frozen) {
    ok(wait_for($long, sub { texts($b, 'bea', $room) !~ /Ann/ }),
       'they redact it in theirs') or diag(texts($b, 'bea', $room));
}

ok(wait_for($long, sub { $a->admin('GET', "$admin/erasure")->{data}{state}
                         eq 'done' }), 'it is done');
is($a->admin('GET', "$admin/erasure")->{data}{skipped}, 1,
   'what they refuse is counted');
is(texts($b, 'bea', $refused), 'Ann', '... and stays there');
unlike($a->call('amy', 'GET', '/v1/participants/ann')->{data}{local_id},
       qr/ann/, 'the local id goes last');

for my $node ($a, $b) {
    my @alerts = grep { /\[(?:alert|crit|emerg)\]/ } split /\n/, $node->log;

    is_deeply(\@alerts, [], 'no alerts');
    $node->stop;
}

done_testing();
