# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# An erasure while another server of the room is away: only its last step, the
# local id, waits for that server, until a day has passed.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(wait_for write_file);

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-erase-XXXXXXXX', TMPDIR => 1);
my $long = 60 * patience();
my $peer = 'b.example';
my $outbox;

write_file("$dir/key", encode_base64('k' x 32, ''));
chmod 0600, "$dir/key";

start(<<"END");
        rooms_tenant acme;
        rooms_federation on;
        rooms_federation_key $dir/key;
        location = /_rooms_peer { internal; return 502; }
END

$outbox = key("outbox:$peer");
known(qw(ann bob root!));
must('PUT', '/v1/admin/federation/policy', 'root!',
     { allowed_peers => [$peer] });

my $room = make(group => 'bob');

admit($room, 'bob', 'ann');

# somebody of the other server
redis('HSET', key('participants'), "\@eve:$peer", $json->encode({
    local_id => 'eve', display_name => 'Eve', workspace_id => undef,
    participant_type => 'user', server_name => $peer, avatar_url => undef,
    created_at => '2026-01-01T00:00:00.000Z' }));
redis('HSET', key("r:$room:members"), "\@eve:$peer", 'join 0 1767225600000 1');
redis('ZADD', key("r:$room:list"), 0, "\@eve:$peer");
redis('HINCRBY', key("r:$room"), 'joined', 1);
redis('HSET', key("r:$room"), 'federated', 1, 'peers', "$peer=1");
redis('ZADD', key("peers:$peer:rooms"), 0, $room);

sub waiting { redis('ZCARD', $outbox) }

sub say {
    my ($who, $n) = @_;

    return map { $_->{data}{id} }
           many(20, map { ['POST', "/v1/rooms/$room/send", $who,
                           { content => { body => "$who $_" } }] } 1 .. $n);
}

sub erasure { must('GET', "/v1/admin/participants/$_[0]/erasure", 'root!') }

# How many of these messages are redacted
sub redacted {
    return scalar grep { defined must('GET', "/v1/rooms/$room/events/$_",
                                      'bob')->{redacted_at} } @_;
}

my $much = 250;    # more than a page, which has 200 events
my %said = (ann => [say('ann', $much)]);

must('POST', '/v1/admin/participants/ann/deactivate', 'root!');
ok(wait_for($long, sub { !member($room, 'bob', 'ann') }), 'somebody leaves');

sub state_is {
    my ($who, $state) = @_;

    return wait_for($long, sub { erasure($who)->{state} eq $state });
}

sub phase_is {
    my ($who, $phase) = @_;

    return wait_for($long, sub {
        (redis('HGET', key("p:$who:offboard"), 'phase') // '') eq $phase;
    });
}

my $before = waiting();

must('POST', '/v1/admin/participants/ann/erase', 'root!');
ok(phase_is('ann', 'local'), 'an erasure goes on, whatever waits');
is(erasure('ann')->{messages}, $much, '... with all messages');
is(redacted(@{$said{ann}}), $much, '... which are redacted');
is(waiting(), $before + $much, '... and the peer will hear of them');
is(erasure('ann')->{state}, 'running',
   'it ends once the other server has heard of it');
is(redis('HGET', key('locals'), 'ann'), 'ann',
   '... which knows the participant by the local id');

redis('HINCRBY', key('p:ann:offboard'), 'erase_at', -24 * 3600 * 1000 - 1);
redis('ZADD', key('offboard'), 0, 'ann');
ok(state_is('ann', 'done'), 'a day after it was asked for it waits no longer');
is(redis('HGET', key('locals'), 'ann'), undef, '... and the local id is gone');
is(waiting(), $before + $much, 'nothing that waits is lost');

is(stop_nginx(), 0, 'it ends in order');

done_testing();
