# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Who calls without an Authorization header: tickets of streams, a token in
# the query, a token in a cookie; and what logs show of them.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use File::Temp ();
use MIME::Base64 qw(decode_base64url encode_base64url);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Token qw(hs256);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-secrets-XXXXXXXX', TMPDIR => 1);
my %secret = (new => 'n' x 40, old => 'o' x 40, other => 'x' x 40,
              short => 's' x 31, least => 'l' x 32, most => 'm' x 4096,
              long => 'l' x 4097, jwt => 'a secret of a provider, 32 bytes');

for my $name (keys %secret) {
    open my $file, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $file $secret{$name}, $name eq 'old' ? "\r\n" : "\n";
    close $file;
    chmod 0600, "$dir/$name";
}

# workers may be another user, but it is the master that reads
chmod 0755, "$dir";
chmod 0644, "$dir/$_" for qw(jwt);
$ENV{TEST_NGINX_SECRETS} = "$dir";

# A ticket as the server makes it.
sub ticket {
    my (%t) = (purpose => 1, flags => 0, tenant => 'acme', sub => 'hans',
               exp => time() + 600, object => '', secret => 'new', @_);
    my $raw = pack 'CCCQ>C/aC/aC/a', 1, @t{qw(purpose flags exp tenant sub
                                              object)};

    return encode_base64url($raw . hmac_sha256($raw, $secret{$t{secret}}));
}

my $now = time();

save(hans => hs256($secret{jwt}, name => 'Hans', exp => $now + 86400),
     boss => hs256($secret{jwt}, sub => 'boss', role => 'tenant_admin'),
     short => hs256($secret{jwt}, exp => $now + 100),
     expired => hs256($secret{jwt}, exp => $now - 3600),
     globex => hs256($secret{jwt}, tenant_id => 'globex'),
     good => ticket(), old => ticket(secret => 'old'),
     other => ticket(secret => 'other'), ended => ticket(exp => $now - 1),
     medium => ticket(purpose => 2, object => 'med-x'),
     badsub => ticket(sub => 'a b'), of_globex => ticket(tenant => 'globex'),
     admin => ticket(flags => 1));

default_config(<<'END');
    rooms on;
    rooms_auth jwt;
    rooms_auth_secret_file $TEST_NGINX_SECRETS/jwt;
    rooms_server_name rooms.test;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_url_secret_file $TEST_NGINX_SECRETS/new old $TEST_NGINX_SECRETS/old;
END

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a ticket, good for an hour at most, and no longer than the token
--- request eval
["POST /v1/auth/ticket\n{\"purpose\": \"stream\"}", "POST /v1/auth/ticket\n{\"purpose\": \"stream\"}"]
--- more_headers eval
["Authorization: Bearer {{hans}}", "Authorization: Bearer {{short}}"]
--- error_code eval
[200, 200]
--- capture eval
["ticket: json data.ticket\nhour: json data.expires_at", "brief: json data.ticket"]
--- json eval
["data.ticket ~ ^[A-Za-z0-9_-]{60,600}\$\ndata.expires_at ~ ^20..-..-..T..:..:..(\\.000)?Z\$",
 "data.ticket ~ ^[A-Za-z0-9_-]+\$"]
--- response_headers eval
[("Cache-Control: no-store") x 2]



=== TEST 2: what it says
--- config
    location = /t { return 200 "{{ticket}}"; }
    location = /b { return 200 "{{brief}}"; }
--- request eval
["GET /t", "GET /b"]
--- error_code eval
[200, 200]
--- response_body_filters eval
sub {
    my ($raw) = MIME::Base64::decode_base64url($_[0]);
    my (undef, $purpose, $flags, $exp, $tenant, $sub, $object)
        = unpack 'CCCQ>C/aC/aC/a', $raw;
    my $left = $exp - $^T;
    $left = $left > 3550 && $left < 4200 ? 'an hour'
            : $left > 60 && $left < 800 ? 'the token' : $left;
    return "$purpose $flags $tenant $sub [$object] $left\n";
}
--- response_body eval
["1 0 acme hans [] an hour\n", "1 0 acme hans [] the token\n"]



=== TEST 3: it opens /v1/sync, more than once
--- request eval
["GET /v1/sync?since=0&timeout=0&ticket={{ticket}}", "GET /v1/sync?ticket={{ticket}}&timeout=0", "HEAD /v1/sync?timeout=0&ticket={{good}}",
 "GET /v1/sync?timeout=0&ticket={{old}}"]
--- error_code eval
[200, 200, 200, 200]



=== TEST 4: and nothing else
--- request eval
["GET /v1/workspaces?ticket={{ticket}}", "POST /v1/rooms?ticket={{ticket}}\n{}", "POST /v1/auth/register?ticket={{ticket}}",
 "GET /v1/media/download/med-x?ticket={{ticket}}", "GET /v1/sync?timeout=0&signature={{ticket}}", "GET /v1/sync?timeout=0&token={{hans}}",
 "GET /v1/rooms/a/b/c?ticket={{ticket}}"]
--- error_code eval
[(401) x 7]
--- json eval
[("error.code = SW_AUTH_INVALID_TOKEN") x 7]
--- response_headers eval
[("WWW-Authenticate: Bearer") x 7]



=== TEST 5: a ticket that isn't one
--- request eval
["GET /v1/sync?timeout=0&ticket=", "GET /v1/sync?timeout=0&ticket=x", "GET /v1/sync?timeout=0&ticket={{ticket}}A", "GET /v1/sync?timeout=0&ticket={{other}}",
 "GET /v1/sync?timeout=0&ticket={{medium}}", "GET /v1/sync?timeout=0&ticket={{badsub}}", "GET /v1/sync?timeout=0&ticket={{hans}}",
 "GET /v1/sync?timeout=0&ticket=" . ("A" x 3000)]
--- error_code eval
[(401) x 8]
--- json eval
[("error.code = SW_AUTH_INVALID_TOKEN") x 8]
--- response_headers eval
["WWW-Authenticate: Bearer",
 (map { "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"the ticket $_\"" }
  ("isn't signed by this server") x 3, ("is for another purpose") x 2, ("isn't signed by this server") x 2)]



=== TEST 6: a ticket that has ended
--- request
GET /v1/sync?timeout=0&ticket={{ended}}
--- error_code: 401
--- json
error.code = SW_AUTH_EXPIRED_TOKEN



=== TEST 7: a header comes before a ticket
--- request eval
["GET /v1/sync?timeout=0&ticket={{other}}", "GET /v1/sync?timeout=0&ticket={{good}}"]
--- more_headers eval
["Authorization: Bearer {{hans}}", "Authorization: Bearer {{expired}}"]
--- error_code eval
[200, 401]



=== TEST 8: a poll with a ticket ends with it
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_url_secret_file $TEST_NGINX_SECRETS/new;
    location = /v1/sync { rooms on; rooms_auth mock; }
--- request eval
"GET /v1/sync?since=now&timeout=60000&ticket=" . main::ticket(exp => time() + 10)
--- timeout: 50
--- error_code: 200
--- json
data.events = []



=== TEST 9: the purpose is checked, and who asks
--- request eval
["POST /v1/auth/ticket\n{\"purpose\": \"admin\"}", "POST /v1/auth/ticket\n{}", "POST /v1/auth/ticket", "POST /v1/auth/ticket\n{\"purpose\": \"stream\"}",
 "GET /v1/auth/ticket"]
--- more_headers eval
[("Authorization: Bearer {{hans}}") x 3, "X-Nothing: 1", "Authorization: Bearer {{hans}}"]
--- error_code eval
[400, 400, 400, 401, 405]
--- json eval
["error.code = SW_VALIDATION_FAILED\nerror.details[0].field = purpose", "error.details[0].field = purpose", "error.code = SW_VALIDATION_FAILED",
 "error.code = SW_AUTH_INVALID_TOKEN", "error.code = SW_METHOD_NOT_ALLOWED"]



=== TEST 10: a server of one tenant
--- config
    rooms on;
    rooms_auth mock;
    rooms_tenant acme;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_url_secret_file $TEST_NGINX_SECRETS/new;
--- request eval
["GET /v1/sync?timeout=0&ticket={{of_globex}}", "GET /v1/sync?timeout=0&ticket={{good}}"]
--- error_code eval
[403, 200]
--- json eval
["error.code = SW_AUTH_TENANT_MISMATCH", "data.events = []"]



=== TEST 11: without a secret there are none
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
--- request eval
["POST /v1/auth/ticket\n{\"purpose\": \"stream\"}", "GET /v1/sync?timeout=0&ticket={{good}}"]
--- more_headers eval
["Authorization: Bearer mock:ann\@acme", "X-Nothing: 1"]
--- error_code eval
[404, 401]
--- json eval
["error.code = SW_NOT_FOUND\nerror.message ~ rooms_url_secret_file", "error.code = SW_AUTH_INVALID_TOKEN"]



=== TEST 12: a token in the query, where it is allowed: of what only reads
--- config
    rooms on;
    rooms_auth jwt;
    rooms_auth_secret_file $TEST_NGINX_SECRETS/jwt;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_auth_query_token on;
--- request eval
["GET /v1/sync?timeout=0&token={{hans}}", "GET /v1/workspaces?token={{hans}}", "GET /v1/sync?timeout=0&token={{expired}}", "GET /v1/sync?timeout=0&token=x",
 "POST /v1/workspaces?token={{hans}}\n{\"name\": \"W\"}", "GET /v1/sync?timeout=0&token="]
--- error_code eval
[200, 200, 401, 401, 401, 401]
--- json eval
["data.events = []", "data[0].role = owner", "error.code = SW_AUTH_EXPIRED_TOKEN", ("error.code = SW_AUTH_INVALID_TOKEN") x 3]



=== TEST 13: ... also where a cookie may have one, and there is none
--- config
    rooms on;
    rooms_auth_secret_file $TEST_NGINX_SECRETS/jwt;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_cors_origin https://app.example;
    rooms_auth_token $cookie_rooms;
    rooms_auth_query_token on;
--- request: GET /v1/workspaces?token={{hans}}
--- error_code: 200



=== TEST 14: a mock token in the query, as a browser escapes it
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_auth_query_token on;
--- request
GET /v1/sync?timeout=0&token=mock%3Aann%40acme
--- error_code: 200



=== TEST 15: a token in a cookie: what changes something comes from a listed origin
--- config
    rooms on;
    rooms_auth jwt;
    rooms_auth_secret_file $TEST_NGINX_SECRETS/jwt;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_auth_token $cookie_rooms;
    rooms_cors_origin https://chat.example.com;
    rooms_cors_credentials on;
--- request eval
["GET /v1/workspaces", "POST /v1/workspaces\n{\"name\": \"W\"}", "POST /v1/workspaces\n{\"name\": \"W\"}", "POST /v1/workspaces\n{\"name\": \"W\"}",
 "POST /v1/workspaces\n{\"name\": \"W\"}", "GET /v1/workspaces", "GET /v1/workspaces", "DELETE /v1/workspaces/ws-x", "OPTIONS /v1/workspaces"]
--- more_headers eval
["Cookie: rooms={{hans}}", "Cookie: rooms={{hans}}\nOrigin: https://chat.example.com", "Cookie: rooms={{hans}}\nOrigin: https://evil.example",
 "Cookie: rooms={{hans}}", "Authorization: Bearer {{hans}}\nCookie: rooms={{expired}}", "Cookie: rooms={{expired}}", "Cookie: other=x",
 "Cookie: rooms={{hans}}\nOrigin: null", "Cookie: rooms={{hans}}\nOrigin: https://evil.example"]
--- error_code eval
[200, 201, 403, 403, 201, 401, 401, 403, 204]
--- json eval
[undef, undef, ("error.code = SW_AUTH_INSUFFICIENT_PERMISSION\nerror.message ~ rooms_cors_origin") x 2, undef, "error.code = SW_AUTH_EXPIRED_TOKEN",
 "error.code = SW_AUTH_INVALID_TOKEN", "error.code = SW_AUTH_INSUFFICIENT_PERMISSION", undef]



=== TEST 16: rooms_auth_token can be switched off below
--- config
    rooms_auth_token $cookie_rooms;
    rooms_cors_origin https://chat.example.com;
    rooms on;
    rooms_auth jwt;
    rooms_auth_secret_file $TEST_NGINX_SECRETS/jwt;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    location = /v1/workspaces { rooms on; rooms_auth_token off; }
--- request eval
["GET /v1/workspaces", "GET /v1/directory/rooms"]
--- more_headers
Cookie: rooms={{hans}}
--- error_code eval
[401, 200]



=== TEST 17: a cookie needs a list of origins
--- config
    rooms on;
    rooms_auth mock;
    rooms_auth_token $cookie_rooms;
--- must_die
--- error_log
rooms_auth_token needs a list of origins in rooms_cors_origin



=== TEST 18: not every origin
--- config
    rooms on;
    rooms_auth mock;
    rooms_auth_token $cookie_rooms;
    rooms_cors_origin *;
--- must_die
--- error_log
rooms_auth_token needs a list of origins in rooms_cors_origin



=== TEST 19: a token for everybody is none
--- config
    rooms on;
    rooms_auth mock;
    rooms_auth_token secret;
--- must_die
--- error_log
"rooms_auth_token" directive must contain a variable



=== TEST 20: a secret that is too short
--- config
    rooms on;
    rooms_auth mock;
    rooms_url_secret_file $TEST_NGINX_SECRETS/short;
--- must_die
--- error_log
must hold a secret of 32 to 4096 bytes



=== TEST 21: a secret that is too long
--- config
    rooms on;
    rooms_auth mock;
    rooms_url_secret_file $TEST_NGINX_SECRETS/new $TEST_NGINX_SECRETS/long;
--- must_die
--- error_log
must hold a secret of 32 to 4096 bytes



=== TEST 22: a secret that everybody may read
--- config
    rooms on;
    rooms_auth mock;
    rooms_url_secret_file $TEST_NGINX_SECRETS/jwt;
--- must_die
--- error_log
must be a regular file that is not readable or writable by everybody (chmod o-rw)



=== TEST 23: a secret that isn't there
--- config
    rooms on;
    rooms_auth mock;
    rooms_url_secret_file $TEST_NGINX_SECRETS/none;
--- must_die
--- error_log
can't be opened



=== TEST 24: the shortest and the longest; the newline at the end is no part of it
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_url_secret_file $TEST_NGINX_SECRETS/least old $TEST_NGINX_SECRETS/most;
--- request eval
["GET /v1/sync?timeout=0&ticket=" . main::ticket(secret => 'least'), "GET /v1/sync?timeout=0&ticket=" . main::ticket(secret => 'most')]
--- error_code eval
[200, 200]



=== TEST 25: rotated out
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_url_secret_file $TEST_NGINX_SECRETS/other old $TEST_NGINX_SECRETS/new;
--- request eval
["GET /v1/sync?timeout=0&ticket={{ticket}}", "GET /v1/sync?timeout=0&ticket={{old}}", "GET /v1/sync?timeout=0&ticket={{other}}"]
--- error_code eval
[200, 401, 200]



=== TEST 26: what NGINX logs has no ticket
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    rooms_url_secret_file $TEST_NGINX_SECRETS/new;
    location = /v1/sync { rooms on; deny all; }
--- log_level: info
--- request
GET /v1/sync?since=5&ticket={{good}}&Token={{hans}}&SIGNATURE=abc&limit=3
--- error_code: 403
--- error_log
"GET /v1/sync?since=5&ticket=-&Token=-&SIGNATURE=-&limit=3 HTTP/1.1"
--- no_error_log
{{good}}
{{hans}}
=abc



=== TEST 27: however its path is written
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    location /v1/sync { rooms on; deny all; }
--- log_level: info
--- request
GET //v1/./%73ync?ticket={{good}}
--- error_code: 403
--- error_log
"GET //v1/./%73ync?ticket=- HTTP/1.1"
--- no_error_log
{{good}}



=== TEST 28: what we log of a refused ticket has none
--- log_level: info
--- request
GET /v1/sync?ticket={{other}}
--- error_code: 401
--- error_log
rooms: token refused: the ticket isn't signed by this server
request: "GET /v1/sync
--- no_error_log
{{other}}



=== TEST 29: nor of a link
--- log_level: info
--- request
GET /v1/media/download/med-1?signature={{ended}}
--- error_code: 403
--- error_log
request: "GET /v1/media/download/med-1
--- no_error_log
{{ended}}



=== TEST 30: $rooms_uri and $request hide it, NGINX's other variables don't
--- config
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    location = /v1/workspaces { rooms off; return 200 "$rooms_uri $request $request_uri $args\n"; }
    location = /v1/media/upload { rooms off; return 200 "$rooms_uri\n"; }
    location = /other { return 200 "$request $rooms_uri\n"; }
--- request eval
["GET /v1/workspaces?a=1&token=abc&b=2", "GET /v1/media/upload?a=%2F&b", "GET /other?token=abc"]
--- response_body eval
["/v1/workspaces?a=1&token=-&b=2 GET /v1/workspaces?a=1&token=-&b=2 HTTP/1.1 "
 . "/v1/workspaces?a=1&token=abc&b=2 a=1&token=abc&b=2\n", "/v1/media/upload?a=%2F&b\n",
 "GET /other?token=abc HTTP/1.1 /other?token=-\n"]
