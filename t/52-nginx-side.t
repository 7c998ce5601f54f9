# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What NGINX does around us, to requests of participants and of other servers:
# limits by who asks, bodies in files.  HTTP/2, the PROXY protocol and limits
# of connections are in t/52-http2.t.

use strict;
use warnings;

use File::Temp ();
use MIME::Base64 qw(encode_base64);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(slurp write_file);
use RoomsTest::Stranger;
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);

write_file("$dir/own.key", encode_base64('a' x 32, ''));
chmod 0640, "$dir/own.key";
$ENV{TEST_NGINX_DIR} = "$dir";

# We are a.example; b.example signs what it asks and tells.
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
    my ($block) = @_;

    $block->set_value(http_config => <<'END' . $b->virtual);
    limit_req_zone $rooms_tenant zone=tenant:1m rate=1r/m;
    limit_req_zone $rooms_participant zone=participant:1m rate=1r/m;
END
});

# A body filter: what the bodies are about that NGINX has kept in files.
sub kept {
    my @bodies = map { slurp($_) } grep { -f } glob "$dir/bodies/*";

    return join ' ', scalar @bodies,
           grep { my $what = $_; grep { /$what/ } @bodies }
           qw(swp\.room\.message room_type);
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a participant, and a server that we talk to
--- calls
ann@t,root@t! POST /v1/auth/register -> 200
root@t! PUT /v1/admin/federation/policy {"allowed_peers": ["b.example"]} -> 200
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "room-01111111111111111111111111", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@ann:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["applied"]



=== TEST 2: once a minute in a tenant, whoever asks; who is too often may come again; a token of another tenant is refused
--- config eval
::default_config() . '
        location = /v1/rooms/archived {
            rooms on;
            limit_req zone=tenant;
            limit_req_status 503;
        }'
--- calls
ann@t GET /v1/rooms/archived -> 200
root@t! GET /v1/rooms/archived -> 429 SW_RATE_LIMIT_EXCEEDED
    save id: header X-Request-Id
    error.request_id = {{id}}
    < Content-Type: application/json
    < Retry-After: 1
x@other GET /v1/rooms/archived -> 403 SW_AUTH_TENANT_MISMATCH



=== TEST 3: once a minute for a participant, whom others are not in the way of
--- config eval
::default_config() . '
        location = /v1/rooms/archived {
            rooms on;
            limit_req zone=participant;
            limit_req_status 429;
        }'
--- calls
ann@t GET /v1/rooms/archived -> 200
root@t! GET /v1/rooms/archived -> 200
ann@t GET /v1/rooms/archived -> 429 SW_RATE_LIMIT_EXCEEDED
    < Retry-After: 1



=== TEST 4: a server is no participant, and of no tenant: none of these limits is for it
--- config eval
::default_config() . '
        location = /_scaiwave/federation/v1/profile/ann {
            rooms on;
            limit_req zone=participant;
            limit_req zone=tenant;
        }'
--- calls
b.example GET /_scaiwave/federation/v1/profile/ann -> 200 x5
    data.display_name = ann



=== TEST 5: bodies that NGINX keeps in files
--- config eval
::default_config() . '
        client_body_temp_path $TEST_NGINX_DIR/bodies;
        location = /_scaiwave/federation/v1/send { rooms on; client_body_in_file_only on; }
        location = /v1/rooms { rooms on; client_body_in_file_only on; }'
--- calls
ann@t POST /v1/rooms {"room_type": "group", "name": "R"} -> 201
    data.name = R
b.example POST /_scaiwave/federation/v1/send {"events": [
        {"room_id": "room-01111111111111111111111111", "sender": "bob", "event_type": "swp.room.message",
         "content": {"body": "x"}}
    ]} -> 200
    data.results[*].status = ["applied"]



=== TEST 6: ... have been there
--- request
GET /v1/rooms/archived
--- more_headers eval: ::as('ann@t')
--- response_body_filters eval: \&::kept
--- response_body eval
'2 swp\.room\.message room_type'
