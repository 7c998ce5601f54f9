# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Federation's own settings: keys, identity, policy, a room's flag.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use MIME::Base64 qw(decode_base64);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

our $dir = File::Temp->newdir('rooms-keys-XXXXXXXX', TMPDIR => 1);

sub key_file {
    my ($name, $text, $mode) = @_;

    open my $out, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $out $text;
    close $out;
    chmod $mode // 0640, "$dir/$name";

    return "$dir/$name";
}

# RFC 9421's test-key-ed25519, and 32 zeros
our $key = key_file('a.key', "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=\n");
our $old = key_file('old.key', 'A' x 43 . '=');

key_file('open.key', 'A' x 43 . '=', 0644);
key_file('short.key', 'AAAA');
key_file('long.key', 'A' x 1000);

my $public = 'JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=';
my $old_public = 'O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=';

# An id is the beginning of the hash of the key.
save(public => $public, old_public => $old_public,
     key_id => substr(sha256_hex(decode_base64($public)), 0, 16),
     old_key_id => substr(sha256_hex(decode_base64($old_public)), 0, 16));

our $base = <<'END';
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_server_name a.example;
END

our $federation = "    rooms_tenant t1;\n    rooms_federation on;\n";

default_config("$base$federation    rooms_federation_key $key old $old;\n");

no_shuffle();
run_tests();

__DATA__

=== TEST 1: there is no federation without a key
--- config eval
$main::base . $main::federation
--- must_die
--- error_log
also needs rooms_federation_key



=== TEST 2: nor without a tenant
--- config eval
"$main::base rooms_federation on; rooms_federation_key $main::key;"
--- must_die
--- error_log
also needs rooms_tenant



=== TEST 3: a key file that is missing
--- config eval
"$main::base$main::federation rooms_federation_key $main::dir/none.key;"
--- must_die
--- error_log
none.key" failed



=== TEST 4: a key file that everybody may read
--- config eval
"$main::base$main::federation rooms_federation_key $main::dir/open.key;"
--- must_die
--- error_log
is not readable or writable by everybody



=== TEST 5: a key that is too short
--- config eval
"$main::base$main::federation rooms_federation_key $main::dir/short.key;"
--- must_die
--- error_log
must hold 32 bytes in base64



=== TEST 6: a key that is too long
--- config eval
"$main::base$main::federation rooms_federation_key $main::dir/long.key;"
--- must_die
--- error_log
must hold 32 bytes in base64



=== TEST 7: a folder is no key
--- config eval
"$main::base$main::federation rooms_federation_key $main::dir;"
--- must_die
--- error_log
must be a regular file



=== TEST 8: a name that nobody can dial
--- config eval
$main::base =~ s/a\.example/A_b/r . "$main::federation rooms_federation_key $main::key;"
--- must_die
--- error_log
rooms_server_name



=== TEST 9: where federation is off, a location of the operator is the operator's
--- config eval
"$main::base rooms_tenant t1; rooms_federation_key $main::key; location /v1/admin/ { return 299; }"
--- request
GET /v1/admin/federation/policy
--- more_headers eval
main::as('root@t1!')
--- error_code: 299



=== TEST 10: ... and none of its paths is there
--- config eval
"$main::base rooms_tenant t1;"
--- calls
root@t1! GET /v1/admin/federation/identity -> 404 SW_NOT_FOUND
root@t1! GET /.well-known/scaiwave/server -> 404 SW_NOT_FOUND
root@t1! PUT /v1/admin/federation/policy {} -> 404 SW_NOT_FOUND
root@t1! PUT /v1/admin/rooms/room-00000000000000000000000000/federate {"enabled":true} -> 404 SW_NOT_FOUND
root@t1! POST /v1/admin/rooms/room-00000000000000000000000000/federation/invite {"fqid":"@x:b.example"} -> 404 SW_NOT_FOUND
root@t1! POST /v1/admin/rooms/room-00000000000000000000000000/federation/backfill {} -> 404 SW_NOT_FOUND
root@t1! POST /v1/me/federated-dms {"fqid":"@x:b.example"} -> 404 SW_NOT_FOUND
root@t1! POST /_scaiwave/federation/v1/send {"events":[]} -> 404 SW_NOT_FOUND
- GET /.well-known/scaiwave/server -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 11: the descriptor needs no token; it has both keys, and none of their seeds
--- request eval
["GET /.well-known/scaiwave/server", "HEAD /.well-known/scaiwave/server"]
--- error_code eval
[200, 200]
--- json eval
['data # 7
data.server_name = a.example
data.public_key = "ed25519:{{public}}"
data.key_id = "{{key_id}}"
data.old_public_keys = ["ed25519:{{old_public}}"]
data.old_key_ids = ["{{old_key_id}}"]
data.protocol_versions = ["v1"]
data.endpoints # 4
data.endpoints.send = "/_scaiwave/federation/v1/send"
data.endpoints.profile = "/_scaiwave/federation/v1/profile/{local_id}"
data.endpoints.members = "/_scaiwave/federation/v1/rooms/{room_id}/members"
data.endpoints.backfill = "/_scaiwave/federation/v1/rooms/{room_id}/backfill"']



=== TEST 12: the rest is for administrators
--- calls
- GET /v1/admin/federation/<identity|policy> -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/admin/<federation/policy|rooms/room-1/federate> {} -> 401 SW_AUTH_INVALID_TOKEN
ann@t1 GET /v1/admin/federation/<identity|policy> -> 403 SW_AUTH_INSUFFICIENT_PERMISSION
ann@t1 PUT /v1/admin/<federation/policy|rooms/room-1/federate> {} -> 403 SW_AUTH_INSUFFICIENT_PERMISSION
root@t1! GET /v1/admin/federation/identity -> 200
    data.public_key = "ed25519:{{public}}"
    data.key_id ~ ^[0-9a-f]{16}$



=== TEST 13: nobody is let in by default; a policy is put, and kept
--- calls
root@t1! GET /v1/admin/federation/policy -> 200
    data = {"default_mode":"invite_only","allowed_peers":[],"max_foreign_participants_per_room":100}
root@t1! PUT /v1/admin/federation/policy {"default_mode":"allowlist","allowed_peers":["a.example","b.example:8443"],"max_foreign_participants_per_room":7} -> 200
    data = {"default_mode":"allowlist","allowed_peers":["a.example","b.example:8443"],"max_foreign_participants_per_room":7}
root@t1! GET /v1/admin/federation/policy -> 200
    data = {"default_mode":"allowlist","allowed_peers":["a.example","b.example:8443"],"max_foreign_participants_per_room":7}



=== TEST 14: what a policy may be; we don't shut ourselves out; what is refused changes nothing
--- calls
root@t1! PUT /v1/admin/federation/policy {"default_mode":"ajar"} -> 400 SW_VALIDATION_FAILED default_mode
root@t1! PUT /v1/admin/federation/policy {"allowed_peers":<["x/y"]|{}>} -> 400 SW_VALIDATION_FAILED allowed_peers
root@t1! PUT /v1/admin/federation/policy {"max_foreign_participants_per_room":-1} -> 400 SW_VALIDATION_FAILED max_foreign_participants_per_room
root@t1! PUT /v1/admin/federation/policy {"default_mode":"allowlist","allowed_peers":["b.example"]} -> 400 SW_VALIDATION_FAILED allowed_peers
root@t1! GET /v1/admin/federation/policy -> 200
    data = {"default_mode":"allowlist","allowed_peers":["a.example","b.example:8443"],"max_foreign_participants_per_room":7}



=== TEST 15: it is replaced as a whole; unknown fields are ignored; a list says nothing when closed
--- calls
root@t1! PUT /v1/admin/federation/policy {"mode":"open"} -> 200
    data = {"default_mode":"invite_only","allowed_peers":[],"max_foreign_participants_per_room":100}
root@t1! PUT /v1/admin/federation/policy {"default_mode":"closed","allowed_peers":["b.example"]} -> 200
    data.default_mode = closed



=== TEST 16: a broken one in the store lets nobody in, and the log says so
--- init
RoomsTest::redis('HSET', 'sw:{t1}:federation', 'policy', '{"default_mode":"open",');
--- request
GET /v1/admin/federation/policy
--- more_headers eval
main::as('root@t1!')
--- json
data.default_mode = closed
--- error_log
federation policy in the store is not valid



=== TEST 17: rooms
--- calls
ann@t1,bob@t1 POST /v1/auth/register -> 200
ann@t1 POST /v1/rooms {"room_type":"group","name":"G"} -> 201
    save room: json data.id
ann@t1 POST /v1/rooms {"room_type":"incognito"} -> 201
    save dark: json data.id
ann@t1 POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save dm: json data.id



=== TEST 18: an administrator, who is no member, federates a room, once, by an event
--- calls
root@t1! PUT /v1/admin/rooms/{{room}}/federate {"enabled":true} -> 200
    data.federated = true
ann@t1 GET /v1/rooms/{{room}} -> 200
    data.federated = true
ann@t1 GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    save position: json data[0].stream_position
    data[0].event_type = swp.room.federation
    data[0].content = {"federated":true}
    data[0].sender_id = root
root@t1! PUT /v1/admin/rooms/{{room}}/federate {"enabled":true} -> 200
ann@t1 GET /v1/rooms/{{room}} -> 200
    data.last_event_position = {{position}}
root@t1! PUT /v1/admin/rooms/{{room}}/federate {"enabled":false} -> 200
    data.federated = false



=== TEST 19: what can't be federated, and by whom
--- calls
root@t1! PUT /v1/admin/rooms/{{room}}/federate {"enabled":"yes"} -> 400 SW_VALIDATION_FAILED enabled
root@t1! PUT /v1/admin/rooms/room-00000000000000000000000000/federate {"enabled":true} -> 404 SW_ROOM_NOT_FOUND
root@t2! PUT /v1/admin/rooms/{{room}}/federate {"enabled":true} -> 403 SW_AUTH_TENANT_MISMATCH
root@t1! PUT /v1/admin/rooms/<{{dark}}|{{dm}}>/federate {"enabled":true} -> 400 SW_ROOM_TYPE_INVARIANT
ann@t1 POST /v1/rooms/{{room}}/archive -> 200
root@t1! PUT /v1/admin/rooms/{{room}}/federate {"enabled":true} -> 409 SW_ROOM_FROZEN
