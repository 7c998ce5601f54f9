# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Who calls: every mode, algorithm and refusal, over HTTP.  What a claim or a
# header may look like in all detail is tested in t/unit.

use strict;
use warnings;

use Cwd ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Token qw(hs256 token unsigned);
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_DATA} = Cwd::cwd() . '/t/data';

my $secret = 'a secret of thirty-two bytes, at least';
my $now = time();

save(
    secret       => $secret,
    hs           => hs256($secret, name => "H\x{e4}ns", role => 'member'),
    hs_admin     => hs256($secret, sub => 'ann', role => 'partner_admin'),
    hs_chief     => hs256($secret, sub => 'carl', roles => ['chief']),
    hs_perm      => hs256($secret, sub => 'pam',
                          permissions => ['x', 'admin:access']),
    hs_expired   => hs256($secret, exp => $now - 3600),
    hs_leeway    => sub { hs256($secret, exp => time() - 10) },
    hs_noexp     => hs256($secret, exp => undef),
    hs_nbf       => hs256($secret, nbf => $now + 3600),
    hs_iat       => hs256($secret, iat => $now + 3600),
    hs_nosub     => hs256($secret, sub => undef),
    hs_badsub    => hs256($secret, sub => 'a b'),
    hs_notenant  => hs256($secret, tenant_id => undef),
    hs_badtenant => hs256($secret, tenant_id => 'a{b}'),
    hs_globex    => hs256($secret, tenant_id => 'globex'),
    hs_party     => hs256($secret, iss => 'https://id.example',
                          aud => ['other', 'rooms']),
    hs_iss       => hs256($secret, iss => 'https://evil.example',
                          aud => 'rooms'),
    hs_aud       => hs256($secret, iss => 'https://id.example',
                          aud => ['other']),
    hs_kid       => hs256($secret, header => { kid => 'who-knows' }),
    hs_crit      => hs256($secret, header => { crit => ['exp'] }),
    hs_expired_forged => hs256("$secret?", exp => $now - 3600),
    hs_forged    => hs256("$secret?"),
    none         => unsigned({ alg => 'none' },
                             { sub => 'hans', tenant_id => 'acme',
                               exp => $now + 3600 }) . '.',
    upper_none   => unsigned({ alg => 'NONE' },
                             { sub => 'hans', tenant_id => 'acme',
                               exp => $now + 3600 }) . '.AAAA',
    two_parts    => unsigned({ alg => 'HS256' }, { sub => 'hans' }),
    no_json      => unsigned('{"alg":', '{}') . '.AAAA',
    hs_pad1k     => hs256($secret, pad => 'x' x 700),
    hs_pad4k     => hs256($secret, pad => 'x' x 3000),
    hs_8k        => (map { hs256($secret, pad => 'x' x $_) }
                     grep { length hs256($secret, pad => 'x' x $_) == 8192 }
                     5900 .. 6100)[0],
    hs_pad8k     => hs256($secret, pad => 'x' x 6200),
    map { $_ => token($_) } qw(rs256 es256 eddsa eddsa_nokid eddsa_admin
        eddsa_globex eddsa_next es256_forged eddsa_expired eddsa_crit
        rs256_as_eddsa es256_unknown_kid),
);

save(hs_cut => substr(saved('hs'), 0, -1),
     hs_swapped => join('.', (split /\./, saved('hs'))[0],
                             (split /\./, saved('hs_admin'))[1, 2]));

default_config(<<'END');
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_server_name chat.example;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_jwks_file $TEST_NGINX_DATA/jwks.json;
        large_client_header_buffers 4 32k;
END

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(request => 'POST /v1/auth/register')
        if !defined $block->request && !defined $block->raw_request;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: HS256 by a secret file
--- more_headers
Authorization: Bearer {{hs}}
--- json
data.participant_id = hans
data.tenant_id = acme
data.local_id = hans
data.display_name = Häns
data.fqid = @hans:chat.example



=== TEST 2: RS256, name and preferred_username
--- more_headers
Authorization: Bearer {{rs256}}
--- json
data.participant_id = rosa
data.local_id = rosa.r
data.display_name = Rosa R.



=== TEST 3: ES256
--- more_headers
Authorization: Bearer {{es256}}
--- json
data.participant_id = erin



=== TEST 4: EdDSA
--- more_headers
Authorization: Bearer {{eddsa}}
--- json
data.participant_id = edda



=== TEST 5: no kid, one key that fits
--- more_headers
Authorization: Bearer {{eddsa_nokid}}
--- json
data.participant_id = edda



=== TEST 6: the scheme's case doesn't matter, nor do spaces after it
--- more_headers
Authorization: bEARER   {{hs}}
--- json
data.participant_id = hans



=== TEST 7: a verified token again, from the cache
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
["Authorization: Bearer {{rs256}}", "Authorization: Bearer {{rs256}}"]
--- json eval
["data.participant_id = rosa\ndata.display_name = Rosa R.",
 "data.participant_id = rosa\ndata.display_name = Rosa R."]



=== TEST 8: no Authorization
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
Content-Type: application/json
--- raw_response_headers_like: X-Request-Id: [0-9a-f]{32}\r\n
--- json
error.code = SW_AUTH_INVALID_TOKEN
error.message : string
error.request_id ~ ^[0-9a-f]{32}$
error.details !



=== TEST 9: a header of one letter
--- more_headers
Authorization: X
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 10: an empty header
--- more_headers
Authorization:
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 11: the word alone
--- more_headers
Authorization: Bearer
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 12: the word glued to the token
--- more_headers
Authorization: Bearer{{hs}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 13: another scheme
--- more_headers
Authorization: Basic aGFuczpoYW5z
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 14: no token at all, only a word
--- more_headers
Authorization: Bearer abc
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 15: two parts
--- more_headers
Authorization: Bearer {{two_parts}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 16: dots only
--- more_headers
Authorization: Bearer ..
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 17: a header that is no JSON
--- more_headers
Authorization: Bearer {{no_json}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 18: expired
--- more_headers
Authorization: Bearer {{hs_expired}}
--- error_code: 401
--- response_headers_like
WWW-Authenticate: Bearer error="invalid_token".*
--- json
error.code = SW_AUTH_EXPIRED_TOKEN



=== TEST 19: expired, asymmetric
--- more_headers
Authorization: Bearer {{eddsa_expired}}
--- error_code: 401
--- json
error.code = SW_AUTH_EXPIRED_TOKEN



=== TEST 20: expired is said only of a token that is right otherwise
--- more_headers
Authorization: Bearer {{hs_expired_forged}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 21: within the leeway
--- more_headers
Authorization: Bearer {{hs_leeway}}
--- json
data.participant_id = hans



=== TEST 22: a smaller leeway
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_leeway 5s;
--- more_headers
Authorization: Bearer {{hs_leeway}}
--- error_code: 401
--- json
error.code = SW_AUTH_EXPIRED_TOKEN



=== TEST 23: no exp
--- more_headers
Authorization: Bearer {{hs_noexp}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN
--- error_log
token refused: "exp" is missing



=== TEST 24: nbf in the future
--- more_headers
Authorization: Bearer {{hs_nbf}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN
--- error_log
token refused: "nbf" is in the future



=== TEST 25: iat in the future
--- more_headers
Authorization: Bearer {{hs_iat}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 26: no sub
--- more_headers
Authorization: Bearer {{hs_nosub}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 27: a sub that is no participant id
--- more_headers
Authorization: Bearer {{hs_badsub}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 28: no tenant
--- more_headers
Authorization: Bearer {{hs_notenant}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 29: a tenant that would break a key
--- more_headers
Authorization: Bearer {{hs_badtenant}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 30: another secret
--- more_headers
Authorization: Bearer {{hs_forged}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 31: a signature that is cut
--- more_headers
Authorization: Bearer {{hs_cut}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 32: the payload and signature of another token verify with its header
--- more_headers
Authorization: Bearer {{hs_swapped}}
--- json
data.participant_id = ann



=== TEST 33: alg none
--- more_headers
Authorization: Bearer {{none}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 34: alg NONE, with a signature
--- more_headers
Authorization: Bearer {{upper_none}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 35: an alg that doesn't fit the key that kid names
--- more_headers
Authorization: Bearer {{rs256_as_eddsa}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN
--- error_log
"alg" doesn't fit the key



=== TEST 36: unknown kid
--- more_headers
Authorization: Bearer {{es256_unknown_kid}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 37: the right kid, another key
--- more_headers
Authorization: Bearer {{es256_forged}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 38: crit
--- more_headers
Authorization: Bearer {{eddsa_crit}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 39: 1 KiB
--- more_headers
Authorization: Bearer {{hs_pad1k}}
--- json
data.participant_id = hans



=== TEST 40: 4 KiB
--- more_headers
Authorization: Bearer {{hs_pad4k}}
--- json
data.participant_id = hans



=== TEST 41: 8 KiB
--- more_headers
Authorization: Bearer {{hs_8k}}
--- json
data.participant_id = hans



=== TEST 42: more than 8 KiB
--- more_headers
Authorization: Bearer {{hs_pad8k}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN
--- error_log
token refused: the token is longer than 8192 bytes



=== TEST 43: issuer and audience
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_issuer https://id.example;
        rooms_auth_audience rooms;
--- more_headers
Authorization: Bearer {{hs_party}}
--- json
data.participant_id = hans



=== TEST 44: wrong issuer
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_issuer https://id.example;
        rooms_auth_audience rooms;
--- more_headers
Authorization: Bearer {{hs_iss}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 45: wrong audience
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_issuer https://id.example;
        rooms_auth_audience rooms;
--- more_headers
Authorization: Bearer {{hs_aud}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 46: neither
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_issuer https://id.example;
        rooms_auth_audience rooms;
--- more_headers
Authorization: Bearer {{hs}}
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 47: one token is right in one location and wrong in the next
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        location = /v1/workspaces {
            rooms on;
            rooms_auth_audience rooms;
        }
--- request eval
["POST /v1/auth/register", "GET /v1/workspaces",
 "POST /v1/auth/register", "GET /v1/workspaces"]
--- more_headers eval
[("Authorization: Bearer {{hs}}") x 2, ("Authorization: Bearer {{hs_party}}") x 2]
--- error_code eval
[200, 401, 200, 200]



=== TEST 48: ... also where the locations have their keys in common: who administers
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        location = /v1/admin/participants {
            rooms on;
            rooms_auth_admin chief;
        }
--- request eval
[("GET /v1/admin/participants", "GET /v1/admin/participants/hans/erasure") x 4]
--- more_headers eval
[map { ("Authorization: Bearer {{$_}}") x 2 } ("hs_chief", "hs_admin") x 2]
--- error_code eval
[(200, 403, 403, 200) x 2]



=== TEST 49: ... the tenant of a token without one
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_tenant acme;
        location = /v1/workspaces {
            rooms on;
            rooms_tenant globex;
        }
--- request eval
[("POST /v1/auth/register", "GET /v1/workspaces") x 2]
--- more_headers
Authorization: Bearer {{hs_notenant}}
--- error_code eval
[(200, 200) x 2]
--- json eval
[("data.tenant_id = acme", undef) x 2]



=== TEST 50: ... and the leeway
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        location = /v1/workspaces {
            rooms on;
            rooms_auth_leeway 5s;
        }
--- request eval
[("POST /v1/auth/register", "GET /v1/workspaces") x 2]
--- more_headers
Authorization: Bearer {{hs_leeway}}
--- error_code eval
[(200, 401) x 2]



=== TEST 51: a server pinned to a tenant
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_jwks_file $TEST_NGINX_DATA/jwks.json;
        rooms_tenant acme;
--- more_headers
Authorization: Bearer {{hs}}
--- json
data.tenant_id = acme



=== TEST 52: another tenant's token there
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_jwks_file $TEST_NGINX_DATA/jwks.json;
        rooms_tenant acme;
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register", "GET /v1/nowhere/at/all"]
--- more_headers eval
["Authorization: Bearer {{hs_globex}}", "Authorization: Bearer {{eddsa_globex}}",
 ""]
--- error_code eval
[403, 403, 404]
--- response_headers eval
["! WWW-Authenticate", "! WWW-Authenticate", "! WWW-Authenticate"]
--- json eval
["error.code = SW_AUTH_TENANT_MISMATCH", "error.code = SW_AUTH_TENANT_MISMATCH",
 undef]



=== TEST 53: an unknown path is told only to who has a token
--- request eval
["GET /v1/rooms/a/b/c/d", "GET /v1/rooms/a/b/c/d", "DELETE /v1/rooms", "DELETE /v1/rooms"]
--- more_headers eval
["", "Authorization: Bearer {{hs}}", "", "Authorization: Bearer {{hs}}"]
--- error_code eval
[401, 404, 401, 405]



=== TEST 54: tenants see nothing of each other
--- request
POST /v1/rooms
{"room_type": "public", "name": "Acme only"}
--- more_headers
Authorization: Bearer {{hs}}
--- error_code: 201
--- capture
room: json data.id



=== TEST 55: not even that a room is there
--- request eval
["GET /v1/rooms/{{room}}", "GET /v1/rooms/{{room}}", "GET /v1/rooms/room-0"]
--- more_headers eval
["Authorization: Bearer {{hs}}", "Authorization: Bearer {{hs_globex}}",
 "Authorization: Bearer {{hs_globex}}"]
--- error_code eval
[200, 404, 404]
--- json eval
["data.name = Acme only", "error.code = SW_ROOM_NOT_FOUND",
 "error.code = SW_ROOM_NOT_FOUND"]



=== TEST 56: what a tenant admin may, others may not
--- request eval
["POST /v1/rooms/{{room}}/join", "POST /v1/rooms/{{room}}/join",
 "PUT /v1/rooms/{{room}}/members/edda/power-level\n{\"power_level\": 60}",
 "PUT /v1/rooms/{{room}}/members/edda/power-level\n{\"power_level\": 61}",
 "PUT /v1/rooms/{{room}}/members/edda/power-level\n{\"power_level\": 62}",
 "PUT /v1/rooms/{{room}}/members/edda/power-level\n{\"power_level\": 63}"]
--- more_headers eval
["Authorization: Bearer {{eddsa}}", "Authorization: Bearer {{rs256}}",
 "Authorization: Bearer {{rs256}}",
 "Authorization: Bearer {{eddsa_admin}}",
 "Authorization: Bearer {{hs_admin}}",
 "Authorization: Bearer {{hs_perm}}"]
--- error_code eval
[200, 200, 403, 200, 200, 200]
--- json eval
[undef, undef, "error.code = SW_ROOM_FORBIDDEN", "data.power_level = 61",
 "data.power_level = 62", "data.power_level = 63"]



=== TEST 57: mock: a participant by name
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
--- more_headers
Authorization: Bearer mock:ada@acme
--- json
data.participant_id = ada
data.tenant_id = acme
data.display_name = ada
--- error_log
for development only



=== TEST 58: mock: any other token is the test user
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
["Authorization: Bearer whatever", "Authorization: Bearer {{hs_forged}}"]
--- json eval
["data.participant_id = mock-user\ndata.tenant_id = mock-tenant",
 "data.participant_id = mock-user"]



=== TEST 59: mock: refusals
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
--- request eval
[("POST /v1/auth/register") x 6]
--- more_headers eval
["", "Authorization: X", "Authorization: Bearer mock:", "Authorization: Bearer mock:ada",
 "Authorization: Bearer mock:a b\@acme", "Authorization: Bearer mock:ada\@ac{me}"]
--- error_code eval
[(401) x 6]
--- response_headers eval
[("WWW-Authenticate: Bearer") x 2,
 ('WWW-Authenticate: Bearer error="invalid_token", error_description="not a mock token, which is mock:<participant>@<tenant>[:admin]"') x 4]
--- json eval
[("error.code = SW_AUTH_INVALID_TOKEN") x 6]



=== TEST 60: mock: pinned to a tenant
--- config
        rooms on;
        rooms_auth mock;
        rooms_tenant acme;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
--- request eval
[("POST /v1/auth/register") x 3]
--- more_headers eval
["Authorization: Bearer mock:ada\@acme", "Authorization: Bearer mock:ada\@globex",
 "Authorization: Bearer whatever"]
--- error_code eval
[200, 403, 403]



=== TEST 61: hybrid: a JWT is verified, anything else is mock
--- config
        rooms on;
        rooms_auth hybrid;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
--- request eval
[("POST /v1/auth/register") x 6]
--- more_headers eval
["Authorization: Bearer {{hs}}", "Authorization: Bearer mock:ada\@acme",
 "Authorization: Bearer whatever", "Authorization: Bearer {{hs_forged}}",
 "Authorization: Bearer {{none}}", ""]
--- error_code eval
[200, 200, 200, 401, 401, 401]
--- json eval
["data.participant_id = hans", "data.participant_id = ada",
 "data.participant_id = mock-user", "error.code = SW_AUTH_INVALID_TOKEN",
 "error.code = SW_AUTH_INVALID_TOKEN", "error.code = SW_AUTH_INVALID_TOKEN"]



=== TEST 62: two Authorization fields
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
--- more_headers
Authorization: Bearer mock:ada@acme
Authorization: Bearer mock:eve@acme
--- error_code: 400
