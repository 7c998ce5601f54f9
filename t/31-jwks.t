# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Keys of a file, and of a provider that is asked by subrequest: what it is
# asked, and what it may answer.  Keys that change, and a provider that is slow
# or away, are in t/31-jwks-faults.t; odd keys within a set in t/31-keys.t.

use strict;
use warnings;

use Cwd ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(slurp);
use RoomsTest::Token qw(hs256 token);
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_DATA} = Cwd::cwd() . '/t/data';

# Who asks in "--- calls", by a token of t/data/tokens; the file "secret" there
# is that of hans.
my %token = (
    'edda'          => token('eddsa'),
    'edda/next-key' => token('eddsa_next'),
    'erin'          => token('es256'),
    'erin/no-key'   => token('es256_unknown_kid'),
    'hans'          => hs256('a secret of thirty-two bytes, at least'),
    'hans/other'    => hs256('another secret, which is as long'),
    'no-jwt'        => 'no-jwt',
);

sub by { return "Bearer $token{$_[0]}" }

signs(map { my $who = $_; $who => sub { ($_[2], Authorization => by($who)) } }
          keys %token);

# The provider is another server of this NGINX.  What it is asked, and which
# of the client's fields come along, is shown by "/asked".
default_config(<<'END');
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_request /_keys;
        location = /_keys {
            internal;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/jwks;
            proxy_set_header Host keys.example;
        }
        location = /asked {
            rooms off;
            alias $TEST_NGINX_SERVER_ROOT/logs/asked.log;
        }
END

sub with { return default_config() =~ s/internal;/internal; $_[0]/r }

# It answers with the file keys, if the block has one, else with what the
# http_config section says, else with our keys.
add_block_preprocessor(sub {
    my ($block) = @_;
    my $answer = $block->http_config
                 // 'root $TEST_NGINX_DATA; try_files /jwks.json =404;';

    $block->set_value(http_config => <<"END");
    log_format asked '\$request_method \$request_uri [\$http_authorization\$http_cookie\$http_x_secret'
        '\$http_range\$http_if_none_match\$http_accept_encoding'
        '\$content_type\$content_length\$http_transfer_encoding] \$request_length';
    server {
        listen \$TEST_NGINX_SERVER_PORT;
        server_name keys.example;
        access_log \$TEST_NGINX_SERVER_ROOT/logs/asked.log asked;
        location = /jwks {
            root \$TEST_NGINX_SERVER_ROOT/html;
            try_files /keys \@answer;
        }
        location \@answer {
            $answer
        }
    }
END
});

our $keys = slurp('t/data/jwks.json');

# A body that is larger than what NGINX reads with the headers.
our $big = '{"room_type": "group", "name": "Big", "x": "' . 'x' x 120_000
           . '"}';

no_shuffle();
run_tests();

__DATA__

=== TEST 1: keys of a file, and a secret
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_file $TEST_NGINX_DATA/jwks.json;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
--- calls
edda POST /v1/auth/register -> 200
    data.participant_id = edda
erin POST /v1/auth/register -> 200
    data.participant_id = erin
edda/next-key POST /v1/auth/register -> 401 SW_AUTH_INVALID_TOKEN
hans POST /v1/auth/register -> 200
    data.participant_id = hans
hans/other POST /v1/auth/register -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 2: keys of a provider
--- calls
edda POST /v1/auth/register -> 200
    > Cookie: c=1
    > X-Secret: s
    > Range: bytes=0-1
    > If-None-Match: *
    > Accept-Encoding: gzip
    data.participant_id = edda



=== TEST 3: ... are asked for by a GET, without anything of the client in it; no token has so few bytes
--- request
GET /asked
--- response_body_like chomp
\AGET /jwks \[-{9}\] \d\d\n\z



=== TEST 4: an unknown key
--- calls
erin/no-key POST /v1/auth/register -> 401 SW_AUTH_INVALID_TOKEN x5



=== TEST 5: ... makes us ask for no keys so soon
--- request
GET /asked
--- response_body_like chomp
\AGET /jwks \[-{9}\] \d\d\n\z



=== TEST 6: a big body while keys are missing
--- config eval: ::with('proxy_send_timeout 61s;')
--- request eval
"POST /v1/rooms\n$::big"
--- more_headers eval
'Authorization: ' . ::by('edda')
--- error_code: 201



=== TEST 7: ... is none of the fetch
--- config eval: ::with('proxy_send_timeout 61s;')
--- request
GET /asked
--- response_body_like chomp
\AGET /jwks \[-{9}\] \d\d\n\z



=== TEST 8: a big body in chunks while keys are missing
--- config eval: ::with('proxy_send_timeout 62s;')
--- raw_request eval
CORE::join "\r\n", 'POST /v1/rooms HTTP/1.1', 'Host: localhost', 'Connection: close', 'Transfer-Encoding: chunked',
    'Authorization: ' . ::by('edda'), '', sprintf('%x', length $::big), $::big, '0', '', ''
--- error_code: 201



=== TEST 9: ... is none of the fetch, either
--- config eval: ::with('proxy_send_timeout 62s;')
--- request
GET /asked
--- response_body_like chomp
\AGET /jwks \[-{9}\] \d\d\n\z



=== TEST 10: a limit of the location is for the client's body, not for the fetch
--- config eval: ::with('client_max_body_size 10;')
--- request eval
"POST /v1/rooms\n$::big"
--- more_headers eval
'Authorization: ' . ::by('edda')
--- error_code: 201



=== TEST 11: a provider that isn't there
--- config eval
main::default_config() =~ s/127.*PORT/127.0.0.1:1/r
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
    < Retry-After: 1
    error.message ~ keys
--- error_log
no keys from "/_keys": status 502



=== TEST 12: ... what is no JWT needs no keys, nor does no token
--- config eval
main::default_config() =~ s/127.*PORT/127.0.0.1:1/r
--- calls
no-jwt POST /v1/auth/register -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/auth/register -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 13: a location that isn't there
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_request /nowhere;
        location = /nowhere { internal; return 404; }
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE



=== TEST 14: the provider answers an error, whatever its page has
--- http_config eval
"return 500 '$::keys';"
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
--- error_log
no keys from "/_keys": status 500
--- wait: 1.1



=== TEST 15: ... and then keys
--- http_config eval
"return 500 '$::keys';"
--- user_files eval: ">>> keys\n$::keys"
--- calls
edda POST /v1/auth/register -> 200



=== TEST 16: the provider answers an HTML page
--- http_config
return 200 '<html>...</html>';
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
--- error_log eval
[qr/no keys from .*not JSON/]
--- wait: 1.1



=== TEST 17: ... and then keys
--- http_config
return 200 '<html>...</html>';
--- user_files eval: ">>> keys\n$::keys"
--- calls
edda POST /v1/auth/register -> 200



=== TEST 18: the provider answers nothing
--- http_config
return 200;
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
--- error_log
no keys from "/_keys"
--- wait: 1.1



=== TEST 19: ... and then keys
--- http_config
return 200;
--- user_files eval: ">>> keys\n$::keys"
--- calls
edda POST /v1/auth/register -> 200



=== TEST 20: the provider answers with a redirect, which isn't followed
--- http_config
return 302 http://127.0.0.1/;
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
--- error_log
no keys from "/_keys": status 302
--- wait: 1.1



=== TEST 21: ... and then keys
--- http_config
return 302 http://127.0.0.1/;
--- user_files eval: ">>> keys\n$::keys"
--- calls
edda POST /v1/auth/register -> 200



=== TEST 22: the provider answers other JSON
--- http_config
return 200 '{"issuer":"x"}';
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
--- error_log
"keys" is not an array
--- wait: 1.1



=== TEST 23: ... and then keys
--- http_config
return 200 '{"issuer":"x"}';
--- user_files eval: ">>> keys\n$::keys"
--- calls
edda POST /v1/auth/register -> 200



=== TEST 24: the provider answers a set that is too large, and says so
--- http_config
root $TEST_NGINX_SERVER_ROOT/html; try_files /large =404;
--- user_files eval: ">>> large\n" . ' ' x 300_000 . $::keys
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
--- error_log
no keys from "/_keys": the answer is larger than 262144 bytes
--- wait: 1.1



=== TEST 25: ... and then keys
--- http_config
root $TEST_NGINX_SERVER_ROOT/html; try_files /large =404;
--- user_files eval: ">>> keys\n$::keys"
--- calls
edda POST /v1/auth/register -> 200



=== TEST 26: the provider answers a set that is too large, and doesn't say so: SSI takes the length away
--- http_config
root $TEST_NGINX_SERVER_ROOT/html; try_files /large =404; ssi on; ssi_types *;
--- user_files eval: ">>> large\n" . ' ' x 300_000 . $::keys
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
--- error_log
no keys from "/_keys": the answer is larger than 262144 bytes
--- wait: 1.1



=== TEST 27: ... and then keys
--- http_config
root $TEST_NGINX_SERVER_ROOT/html; try_files /large =404; ssi on; ssi_types *;
--- user_files eval: ">>> keys\n$::keys"
--- calls
edda POST /v1/auth/register -> 200



=== TEST 28: 100 KB of keys don't have to fit into subrequest_output_buffer_size
--- config eval: ::with('subrequest_output_buffer_size 256;')
--- user_files eval: ">>> keys\n" . ' ' x 100_000 . $::keys
--- calls
edda POST /v1/auth/register -> 200



=== TEST 29: ... nor into the buffers of the proxy, without buffering
--- config eval: ::with('proxy_buffering off;')
--- user_files eval: ">>> keys\n" . ' ' x 100_000 . $::keys
--- calls
edda POST /v1/auth/register -> 200



=== TEST 30: ... and with it
--- config eval: ::with('proxy_buffers 2 4k; proxy_busy_buffers_size 4k;')
--- user_files eval: ">>> keys\n" . ' ' x 100_000 . $::keys
--- calls
edda POST /v1/auth/register -> 200



=== TEST 31: keys are fetched for a request that is itself a subrequest
--- config eval
main::default_config() . <<'END'
        ssi on;
        location = /page {
            ssi_types *;
            return 200 '<!--# include virtual="/v1/workspaces" -->';
        }
END
--- request
GET /page
--- more_headers eval
'Authorization: ' . ::by('edda')
--- response_body_like: \A\{"data":



=== TEST 32: error_page makes no keys of an error
--- config eval
main::default_config() =~ s/proxy_pass [^;]+/return 500/r . <<"END"
        error_page 500 /oops;
        location = /oops { return 200 '$main::keys'; }
END
--- calls
edda POST /v1/auth/register -> 503 SW_STORE_UNAVAILABLE
