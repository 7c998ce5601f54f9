# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Key sets as providers have them, with keys that can't be used among those
# that can; and what a token is refused for, in words.  Sets that change are in
# t/31-keys-change.t.

use strict;
use warnings;

use Cwd ();
use Digest::SHA qw(hmac_sha384 hmac_sha512);
use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(write_file);
use RoomsTest::Token qw(hs256 unsigned);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-keys-XXXXXXXX', TMPDIR => 1);

$ENV{TEST_NGINX_DIR} = "$dir";
$ENV{TEST_NGINX_DATA} = Cwd::cwd() . '/t/data';

our $secret = 'a secret of thirty-two bytes, at least';
my $good = { kty => 'oct', kid => 'good', k => encode_base64url($secret) };

# Each of them is passed over.
my @odd = (
    undef, 7, 'x', [], {},
    { kty => undef }, { kty => 1 }, { kty => 'AKP' },
    { kty => 'RSA', e => 'AQAB' }, { kty => 'RSA', n => undef, e => 'AQAB' },
    { kty => 'RSA', n => 'A' x 172, e => 'AQAB' },
    { kty => 'RSA', n => ('v' x 171) . 'w', e => 'AQAB' },
    { kty => 'EC', crv => 'P-256', x => 'AAAA', y => 'A' x 43 },
    { kty => 'EC', crv => 'P-256', x => 'A' x 44, y => 'A' x 44 },
    { kty => 'EC', crv => 'secp256k1', x => 'A' x 43, y => 'A' x 43 },
    { kty => 'EC', crv => undef }, { kty => 'OKP', crv => 'Ed448' },
    { kty => 'OKP', crv => 'Ed25519', x => 'AAAA' },
    { kty => 'oct', k => 'AAAA' }, { kty => 'oct' },
    { %$good, k => "$good->{k}=" }, { %$good, k => "+/$good->{k}" },
    { %$good, kid => 12 }, { %$good, kid => {} }, { %$good, use => 'enc' },
    { %$good, use => 1 }, { %$good, key_ops => ['sign'] },
    { %$good, key_ops => 'verify' }, { %$good, alg => 'RS256' },
    { %$good, alg => 'A128KW' }, { %$good, alg => 3 },
);

# A file of keys.
sub put {
    my ($name, @keys) = @_;

    write_file("$dir/$name",
               JSON::PP->new->utf8->canonical->encode({ keys => \@keys }));
}

put('odd', @odd, $good);
put('many', map { { %$good, kid => "k$_" } } 0 .. 70);

# The header of a token: of the secret, with the claims that TEST 5 and those
# behind it ask for; or any token.
sub by {
    return bearer(hs256($secret, iss => 'https://id.example', aud => 'rooms',
                        @_));
}

sub bearer { return "Authorization: Bearer $_[0]" }

sub hmac {
    my ($alg, $mac) = @_;
    my $text = unsigned({ alg => $alg },
                        { sub => 'hans', tenant_id => 'acme',
                          iss => 'https://id.example', aud => 'rooms',
                          exp => time() + 600 });

    return bearer("$text." . encode_base64url($mac->($text, $secret)));
}

default_config(<<'END');
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_auth_jwks_file $TEST_NGINX_DATA/jwks.json;
        rooms_auth_issuer https://id.example;
        rooms_auth_audience rooms;
        large_client_header_buffers 4 32k;
        access_log $TEST_NGINX_SERVER_ROOT/logs/who.log who;
        location = /v1/sync { rooms on; limit_req zone=slow; }
END

# "--- refused: WHY" stands for the sections of a token that is refused: why is
# in header, message and log.
add_block_preprocessor(sub {
    my ($block) = @_;
    my $why = $block->refused;

    $block->set_value(request => 'POST /v1/auth/register')
        if !defined $block->request;
    $block->set_value(http_config => <<'END');
    log_format who '$rooms_tenant $rooms_participant $status';
    limit_req_zone $rooms_tenant$rooms_participant$uri zone=slow:1m rate=1r/m;
END

    return if !defined $why;

    chomp $why;

    my $header = $why =~ s/"/'/gr;

    $block->set_value(error_code => 401);
    $block->set_value(response_headers => 'WWW-Authenticate: Bearer '
        . qq(error="invalid_token", error_description="$header"));
    $block->set_value(json => "error.message = the token is refused: $why\n"
                              . 'error.code = SW_AUTH_INVALID_TOKEN');
    $block->set_value(error_log => "token refused: $why, client");
});

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: the one key of a set that can be used is used
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_file $TEST_NGINX_DIR/odd;
--- more_headers eval: ::by(header => { kid => 'good' })
--- json
data.participant_id = hans



=== TEST 2: one warning tells of the others, by their numbers
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_file $TEST_NGINX_DIR/odd;
--- more_headers eval: ::by(header => { kid => 'good' })
--- grep_error_log eval: qr/\[warn\].*are skipped: keys\[0\]: not an object, keys\[1\]: not an object/
--- grep_error_log_out eval: qr/\A\[warn\].*\n\z/



=== TEST 3: none of the others is used
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_file $TEST_NGINX_DIR/odd;
--- more_headers eval: ::by(header => { kid => '12' })
--- error_code: 401
--- json
error.code = SW_AUTH_INVALID_TOKEN



=== TEST 4: 64 keys of a set are taken
--- config
        rooms on;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_file $TEST_NGINX_DIR/many;
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[::by(header => { kid => 'k63' }), ::by(header => { kid => 'k64' })]
--- error_code eval
[200, 401]



=== TEST 5: every size of HMAC by the secret
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[::hmac('HS384', \&Digest::SHA::hmac_sha384), ::hmac('HS512', \&Digest::SHA::hmac_sha512)]
--- json eval
["data.participant_id = hans", "data.participant_id = hans"]



=== TEST 6: another issuer
--- more_headers eval: ::by(iss => 'https://evil.example')
--- refused: "iss" is missing or another issuer



=== TEST 7: another audience
--- more_headers eval: ::by(aud => ['x'])
--- refused: "aud" is missing or another audience



=== TEST 8: another secret
--- more_headers eval: ::bearer(RoomsTest::Token::hs256("$::secret?", iss => 'https://id.example', aud => 'rooms'))
--- refused: the signature doesn't match



=== TEST 9: a subject that is no id
--- more_headers eval: ::by(sub => 'a b')
--- refused: "sub" is missing or not an id of 1 to 255 visible ASCII characters



=== TEST 10: no tenant
--- more_headers eval: ::by(tenant_id => undef)
--- refused: "tenant_id" is missing or not a tenant id



=== TEST 11: no end
--- more_headers eval: ::by(exp => undef)
--- refused: "exp" is missing or not a time in seconds



=== TEST 12: not valid yet
--- more_headers eval: ::by(nbf => time() + 3600)
--- refused: "nbf" is in the future



=== TEST 13: issued in the future
--- more_headers eval: ::by(iat => time() + 3600)
--- refused: "iat" is in the future



=== TEST 14: issued at no time
--- more_headers eval: ::by(iat => 'x')
--- refused: "nbf" or "iat" is not a time in seconds



=== TEST 15: a key that nobody knows
--- more_headers eval: ::by(header => { kid => 'who' })
--- refused: no key has this "kid"



=== TEST 16: an extension that has to be understood
--- more_headers eval: ::by(header => { crit => ['x'] })
--- refused: "crit" extensions are not supported



=== TEST 17: no algorithm
--- more_headers eval: ::by(header => { alg => 'none' })
--- refused: "alg" is missing or not accepted



=== TEST 18: an algorithm that is right, and no key for it
--- more_headers eval: ::by(header => { alg => 'PS256' })
--- refused: no key is for this "alg"



=== TEST 19: no signature
--- more_headers eval: ::bearer(RoomsTest::Token::unsigned({ alg => 'HS256' }, {}))
--- refused: the token does not have three parts separated by dots



=== TEST 20: no token
--- more_headers: Authorization: Bearer no token
--- refused: the token does not have three parts separated by dots



=== TEST 21: a header that is no JSON
--- more_headers eval: ::bearer(RoomsTest::Token::unsigned('{', '{}') . '.AAAA')
--- refused: the header is not a JSON object in base64url



=== TEST 22: a token that is too long
--- more_headers eval: ::bearer('x' x 9000)
--- refused: the token is longer than 8192 bytes



=== TEST 23: ... in hybrid mode, too
--- config
        rooms on;
        rooms_auth hybrid;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        large_client_header_buffers 4 32k;
--- more_headers eval: ::by(pad => 'x' x 6200)
--- refused: the token is longer than 8192 bytes



=== TEST 24: ... and in mock mode
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        large_client_header_buffers 4 32k;
--- more_headers eval: ::by(pad => 'x' x 6200)
--- refused: the token is longer than 8192 bytes



=== TEST 25: a token that has expired has a code of its own
--- more_headers eval: ::by(exp => time() - 3600)
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer error="invalid_token", error_description="the token has expired"
--- json
error.code = SW_AUTH_EXPIRED_TOKEN



=== TEST 26: without a token, or with another scheme, there is no error to name
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
["", "Authorization: Basic YTpi"]
--- error_code eval
[401, 401]
--- response_headers eval
["WWW-Authenticate: Bearer", "WWW-Authenticate: Bearer"]



=== TEST 27: a token is verified once a request, though the access log asks for the participant, too
--- more_headers eval: ::bearer(RoomsTest::Token::hs256("$::secret!"))
--- error_code: 401
--- grep_error_log: token refused
--- grep_error_log_out
token refused



=== TEST 28: ... and though limit_req asks
--- request
GET /v1/sync
--- more_headers eval: ::bearer(RoomsTest::Token::hs256("$::secret!"))
--- error_code: 401
--- grep_error_log: token refused
--- grep_error_log_out
token refused



=== TEST 29: limit_req counts whom a token names; a 429 says nothing of tokens
--- request eval
["GET /v1/sync?timeout=0", "GET /v1/sync?timeout=0"]
--- more_headers eval: ::by()
--- error_code eval
[200, 429]
--- response_headers eval
["! WWW-Authenticate", "! WWW-Authenticate"]
--- response_body_unlike eval
["refused", "refused|token"]
