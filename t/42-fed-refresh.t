# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A foreign participant's profile, which an administrator has asked for anew:
# we are a.example.  The server of the participant is b.example, another one
# of this module in the same NGINX, or c.example, which says what it likes.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(write_file);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);

for my $letter (qw(a b)) {
    write_file("$dir/$letter.key", encode_base64($letter x 32, ''));
    chmod 0640, "$dir/$letter.key";
}

# What a server of this module has; what it dials is in this NGINX, unless
# something else is named.
sub server {
    my ($letter, $dials) = @_;

    $dials //= '127.0.0.1:$TEST_NGINX_SERVER_PORT';

    return <<"END";
        server_name $letter.example;
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_key_prefix $letter;
        rooms_server_name $letter.example;
        rooms_tenant t-$letter;
        rooms_federation on;
        rooms_federation_key $dir/$letter.key;
        rooms_federation_allow_private on;
        location = /_rooms_peer {
            internal;
            proxy_pass http://$dials\$rooms_peer_uri;
            proxy_set_header Host \$rooms_peer;
        }
END
}

default_config(server('a'));

# c.example's profiles are below its name.
sub http {
    my ($c) = @_;

    return "    server {\n        listen \$TEST_NGINX_SERVER_PORT;\n"
           . server('b') . "    }\n"
           . "    server {\n        listen \$TEST_NGINX_SERVER_PORT;\n"
           . "        server_name c.example;\n$c    }\n";
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => http($block->http_config // ''));
});

# Events of others put foreign participants into the store.
sub foreign {
    my ($local, $server) = @_;

    redis('HSET', 'a:{t-a}:participants', "\@$local:$server",
          JSON::PP->new->canonical->encode({
              local_id => $local, display_name => 'Old',
              workspace_id => undef, participant_type => 'user',
              server_name => $server, avatar_url => undef,
              created_at => '2026-01-01T00:00:00.000Z' }));
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: two servers with a participant each, which let each other in
--- calls
ann@t-a POST /v1/auth/register -> 200
root@t-a! PUT /v1/admin/federation/policy {"allowed_peers": ["b.example"]} -> 200
bob@t-b POST /v1/auth/register -> 200
    > Host: b.example
root@t-b! PUT /v1/admin/federation/policy {"allowed_peers": ["a.example"]} -> 200
    > Host: b.example



=== TEST 2: a server with which no room is shared tells nothing
--- init
main::foreign('bob', 'b.example');
--- calls
root@t-a! POST /v1/admin/federation/foreign/%40bob%3Ab.example/refresh -> 404 SW_PARTICIPANT_NOT_FOUND
--- store
HGET a:{t-a}:participants @bob:b.example ~ "display_name":"Old"



=== TEST 3: one with which bob shares a room with us is asked
--- init
RoomsTest::redis('ZADD', "b:{t-b}:$_:rooms", 1, 'room-00000000000000000000000000')
    for 'p:bob', 'peers:a.example';
--- calls
root@t-a! POST /v1/admin/federation/foreign/%40bob%3Ab.example/refresh -> 200
    data # 7
    data.participant_id = @bob:b.example
    data.fqid = @bob:b.example
    data.local_id = bob
    data.server_name = b.example
    data.display_name = bob
    data.participant_type = federated
    data.avatar_url null
--- access_log eval
[qr{"GET /_scaiwave/federation/v1/profile/bob HTTP/1\.[01]" 200}]



=== TEST 4: what it tells is kept; it has seen us
--- calls
root@t-b! GET /v1/admin/federation/peers -> 200
    > Host: b.example
    data # 1
    data[0].server_name = a.example
--- store
HGET a:{t-a}:participants @bob:b.example ~ "display_name":"bob"



=== TEST 5: who may ask, and of whom
--- calls
ann@t-a POST /v1/admin/federation/foreign/%40bob%3Ab.example/refresh -> 403 SW_AUTH_INSUFFICIENT_PERMISSION
root@t-a! POST /v1/admin/federation/foreign/<ann|nobody>/refresh -> 404 SW_PARTICIPANT_NOT_FOUND



=== TEST 6: a token of ours does not make anybody a participant of elsewhere
--- calls
@bob:b.example@t-a GET /v1/rooms/archived -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 7: somebody whom the other server does not know; a local id that would be another path
--- init
main::foreign($_, 'b.example') for 'eve', 'o/../d';
--- calls
root@t-a! POST /v1/admin/federation/foreign/%40eve%3Ab.example/refresh -> 404 SW_PARTICIPANT_NOT_FOUND
root@t-a! POST /v1/admin/federation/foreign/%40o%2F..%2Fd%3Ab.example/refresh -> 403 SW_FED_PEER_UNKNOWN



=== TEST 8: the other server does not let us in any more; what was known stays
--- calls
root@t-b! PUT /v1/admin/federation/policy {} -> 200
    > Host: b.example
root@t-a! POST /v1/admin/federation/foreign/%40bob%3Ab.example/refresh -> 502 SW_FED_PEER_UNREACHABLE
--- store
HGET a:{t-a}:participants @bob:b.example ~ "display_name":"bob"



=== TEST 9: nor do we ask, when our policy is closed
--- calls
root@t-a! PUT /v1/admin/federation/policy {"default_mode": "allowlist"} -> 200
root@t-a! POST /v1/admin/federation/foreign/%40bob%3Ab.example/refresh -> 403 SW_FED_POLICY



=== TEST 10: an avatar is taken if it is a URL of the web
--- http_config
        location = /_scaiwave/federation/v1/profile/carl {
            return 200 '{"data": {"local_id": "carl", "server_name": "c.example", "display_name": "Carl",
                                  "avatar_url": "https://c.example/a.png"}}';
        }
        location = /_scaiwave/federation/v1/profile/script {
            return 200 '{"data": {"local_id": "script", "server_name": "c.example", "display_name": "Script",
                                  "avatar_url": "javascript:alert(1)"}}';
        }
--- init
main::foreign($_, 'c.example') for qw(carl script);
--- calls
root@t-a! PUT /v1/admin/federation/policy {"default_mode": "open"} -> 200
root@t-a! POST /v1/admin/federation/foreign/%40carl%3Ac.example/refresh -> 200
    data.avatar_url = "https://c.example/a.png"
root@t-a! POST /v1/admin/federation/foreign/%40script%3Ac.example/refresh -> 200
    data.avatar_url null



=== TEST 11: answers that are no profile of that participant; what was good stays
--- http_config
        location = /_scaiwave/federation/v1/profile/carl {
            return 200 '{"data": {"local_id": "ann", "server_name": "c.example", "display_name": "Carl"}}';
        }
        location = /_scaiwave/federation/v1/profile/elsewhere {
            return 200 '{"data": {"local_id": "elsewhere", "server_name": "a.example", "display_name": "X"}}';
        }
        location = /_scaiwave/federation/v1/profile/nameless {
            return 200 '{"data": {"local_id": "nameless", "server_name": "c.example", "display_name": null}}';
        }
        location = /_scaiwave/federation/v1/profile/blank {
            return 200 '{"data": {"local_id": "blank", "server_name": "c.example", "display_name": " "}}';
        }
        location = /_scaiwave/federation/v1/profile/long {
            return 200 '{"data": {"local_id": "long", "server_name": "c.example", "display_name": "{{x*200}}"}}';
        }
        location = /_scaiwave/federation/v1/profile/control {
            return 200 '{"data": {"local_id": "control", "server_name": "c.example", "display_name": "a\\nb"}}';
        }
        location = /_scaiwave/federation/v1/profile/list {
            return 200 '{"data": []}';
        }
        location = /_scaiwave/federation/v1/profile/text {
            return 200 'hello';
        }
        location = /_scaiwave/federation/v1/profile/good {
            return 200 '{"data": {"local_id": "good", "server_name": "c.example", "display_name": "X"}}';
        }
--- init
main::foreign($_, 'c.example') for qw(elsewhere nameless blank long control list text good);
--- calls
root@t-a! POST /v1/admin/federation/foreign/%40<carl|elsewhere|nameless|blank|long|control|list|text>%3Ac.example/refresh -> 502 SW_FED_PEER_UNREACHABLE
root@t-a! POST /v1/admin/federation/foreign/%40good%3Ac.example/refresh -> 200
    data.display_name = X
--- store
HGET a:{t-a}:participants @carl:c.example ~ "display_name":"Carl"
HGET a:{t-a}:participants @control:c.example ~ "display_name":"Old"



=== TEST 12: a server that is down
--- config eval
main::server('a', '$rooms_peer')
--- init
main::foreign('dan', '127.0.0.1:1');
--- calls
root@t-a! POST /v1/admin/federation/foreign/%40dan%3A127.0.0.1%3A1/refresh -> 502 SW_FED_PEER_UNREACHABLE
--- error_log
"/_scaiwave/federation/v1/profile/dan" of "127.0.0.1:1": no answer
