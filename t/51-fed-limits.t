# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# As much as fits into one request of another server.  What goes on meanwhile
# is in t/51-fed-under-way.t.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(write_file);
use RoomsTest::Stranger;
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);

write_file("$dir/own.key", encode_base64('a' x 32, ''));
chmod 0640, "$dir/own.key";
$ENV{TEST_NGINX_DIR} = "$dir";

# We are a.example; b.example signs what it tells us.  What its events don't
# say is added.
my $b = RoomsTest::Stranger->new('b.example', 'b' x 32, 'a.example');

signs('b.example' => $b->signer_of_calls);

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant t;
        rooms_federation on;
        rooms_federation_key $TEST_NGINX_DIR/own.key;
        rooms_federation_allow_private on;
        location = /_rooms_peer {
            internal;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT$rooms_peer_uri;
            proxy_set_header Host $rooms_peer;
        }
END

add_block_preprocessor(sub {
    $_[0]->set_value(http_config => $b->virtual);
});

my $json = JSON::PP->new->canonical;
my $room = 'room-01111111111111111111111111';

# So many events of a room's members, each with bob, ann, and so many more, who
# come and go in turn.
sub crowd {
    my ($number, $events, $each) = @_;

    return map {
        my $membership = $_ % 2 ? 'invite' : 'leave';

        { id => sprintf('evt-%013x%016x', 5000 + $number + $_, $_),
          room_id => $room, sender => 'bob',
          event_type => 'swp.room.members', complete => JSON::PP::true,
          room => { name => 'Crowd' },
          members => [{ fqid => '@bob:b.example', membership => 'join',
                        power_level => 100 },
                      { fqid => '@ann:a.example', membership => 'invite' },
                      map { { fqid => "\@m$_:b.example",
                              membership => $membership } } 1 .. $each] }
    } 1 .. $events;
}

# 50 events are the most; they have as many members as the 128 KiB of a body
# allow.
my $each = 98;

$each-- while 50 * length(($b->signer_of_calls->(POST => '/',
                  $json->encode({ events => [crowd(0, 1, $each)] })))[0])
              > 128 * 1024;

my @fifty = crowd(0, 50, $each);

save(room => $room,
     fifty => $json->encode(\@fifty),
     fifty_ids => $json->encode([map { $_->{id} } @fifty]),
     fifty_applied => $json->encode([('applied') x 50]),
     fifty_duplicate => $json->encode([('duplicate') x 50]),
     seven => $json->encode([crowd(100, 7, 98)]),
     seven_applied => $json->encode([('applied') x 7]),
     thirty => $json->encode([crowd(200, 12, 98), crowd(300, 20, 98)]));

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a room of another server's
--- calls
ann@t POST /v1/auth/register -> 200
root@t! PUT /v1/admin/federation/policy {"allowed_peers": ["b.example"]} -> 200
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "id": "evt-00000000003e90000000000000001",
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@ann:a.example", "membership": "invite"},
        "room": {"name": "Crowd"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["applied"]



=== TEST 2: 50 events with as many members each as fit into a request: a result for each, in order
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": {{fifty}}} -> 200
    data.results[*].status = {{fifty_applied}}
    data.results[*].id = {{fifty_ids}}



=== TEST 3: ... told again, they are known
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": {{fifty}}} -> 200
    data.results[*].status = {{fifty_duplicate}}
    data.results[*].id = {{fifty_ids}}
--- store
ZCARD sw:{t}:r:{{room}}:events = 51



=== TEST 4: ... who came has gone
--- calls
ann@t GET /v1/rooms/{{room}} -> 200
    data.members_count = 1
    data.invited_count = 1
--- store
ZRANGE sw:{t}:r:{{room}}:list 0 -1 ~ ^\S+ \S+$



=== TEST 5: 7 events with 100 members each
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": {{seven}}} -> 200
    data.results[*].status = {{seven_applied}}
--- store
ZCARD sw:{t}:r:{{room}}:list = 100



=== TEST 6: what is too long is refused as a whole
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": {{thirty}}} -> 413 SW_PAYLOAD_TOO_LARGE
--- store
ZCARD sw:{t}:r:{{room}}:events = 58
