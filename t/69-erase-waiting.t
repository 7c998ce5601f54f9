# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# An erasure in a room of another server that is away: its redactions aren't
# added to a long outbox, which could drop them, until a day has passed.

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
my $bound = 1000;
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
known(qw(ann amy bob root!));
must('PUT', '/v1/admin/federation/policy', 'root!',
     { allowed_peers => [$peer] });

my $room = make(group => 'bob');

admit($room, 'bob', 'ann', 'amy');

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

# The erasure has looked at the outbox, and looks again later.
sub paused {
    my ($who) = @_;
    my $looked;

    return wait_for($long, sub {
        my $next = redis('ZSCORE', key('offboard'), $who) // 0;
        my $in_room = (redis('HGET', key("p:$who:offboard"), 'phase') // '')
                      eq 'rooms';

        $looked //= $next if $in_room;
        return $in_room && $next > $looked;
    });
}

# How many of these messages are redacted
sub redacted {
    return scalar grep { defined must('GET', "/v1/rooms/$room/events/$_",
                                      'bob')->{redacted_at} } @_;
}

my $much = 250;    # more than a page, which has 200 events
my %said = (ann => [say('ann', $much)], amy => [say('amy', 2)]);

for my $who ('ann', 'amy') {
    must('POST', "/v1/admin/participants/$who/deactivate", 'root!');
    ok(wait_for($long, sub { !member($room, 'bob', $who) }), "$who leaves");
}

say('bob', $bound - waiting());
is(waiting(), $bound, 'as many wait as an erasure lets wait');

must('POST', "/v1/admin/participants/ann/erase", 'root!');
ok(paused('ann'), 'the erasure pauses');
is(erasure('ann')->{state}, 'running', '... and says so');
is(redacted(@{$said{ann}}), 0, '... before the first redaction');
is(waiting(), $bound, '... which would be one more item');

# one fewer, and it goes on with a page
redis('ZPOPMIN', $outbox);
ok(wait_for($long, sub { erasure('ann')->{messages} > 0 && paused('ann') }),
   'it goes on once fewer wait, and pauses again');

my $done = redacted(@{$said{ann}});

cmp_ok($done, '>', 0, '... after some of them');
cmp_ok($done, '<', 200, '... which are those of a page');
is(waiting(), $bound - 1 + $done, '... and the peer will hear of them');

# for all that are left
redis('ZPOPMIN', $outbox, $much);
ok(wait_for($long, sub { erasure('ann')->{messages} == $much }),
   'until it is through');
is(redacted(@{$said{ann}}), $much, '... with all of them');

my $left = waiting();

is($left, $bound - 1, '... none of which is lost');
is(erasure('ann')->{state}, 'running',
   'it ends once the other server has heard of it');

# another one, whose day is over
say('bob', 1);
must('POST', "/v1/admin/participants/amy/erase", 'root!');
ok(paused('amy'), 'another one pauses');
is(redacted(@{$said{amy}}), 0, '... before the first redaction');
redis('HINCRBY', key('p:amy:offboard'), 'erase_at', -24 * 3600 * 1000 - 1);
ok(wait_for($long, sub { erasure('amy')->{state} eq 'done' }),
   'a day after it was asked for it waits no longer');
is(redacted(@{$said{amy}}), 2, '... and then is done');
is(waiting(), $left + 1 + 2, '... in an outbox that grows');
is(redis('HGET', key('outboxes:state'), $peer) =~ / (\d+)\z/ ? $1 : undef, 0,
   '... and drops nothing');

is(stop_nginx(), 0, 'it ends in order');

done_testing();
