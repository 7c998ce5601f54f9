# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Key sets as providers have them: keys that can't be used among those that
# can, one warning for them, and what a token is refused for.

use strict;
use warnings;

use Cwd ();
use Digest::SHA qw(hmac_sha384 hmac_sha512);
use File::Temp ();
use MIME::Base64 qw(encode_base64url);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Token qw(hs256 token unsigned);

my $dir = File::Temp::tempdir('rooms-keys-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $data = Cwd::cwd() . '/t/data';
my $json = JSON::PP->new->utf8->canonical;
my $secret = 'a secret of thirty-two bytes, at least';
my $good = { kty => 'oct', kid => 'good', k => encode_base64url($secret) };
my $store = "rooms on;\nrooms_redis redis://\$TEST_NGINX_REDIS/0;";

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

sub put {
    my ($name, $keys) = @_;

    open my $out, '>', "$dir/new" or die "new: $!\n";
    print $out ref $keys ? $json->encode({ keys => $keys }) : $keys;
    close $out or die "new: $!\n";
    rename "$dir/new", "$dir/$name" or die "$name: $!\n";
}

sub answer { return http_req('POST', '/v1/auth/register', @_) }
sub status { return answer(@_)->[0] }
sub warnings { return scalar(() = nginx_log() =~ /keys are passed over/g) }

# One test: refused, with the reason in header, message and log.
sub refused {
    my ($token, $why, $name) = @_;
    my $res = answer($token);
    my $header = $why =~ s/"/'/gr;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$res->[0] " . ($res->[1]{'www-authenticate'} // ''),
       '401 Bearer error="invalid_token", error_description="' . $header . '"',
       $name // $why);
    is(json_get($res->[2], 'error.message'), "the token is refused: $why",
       'in words, too');
    like(nginx_log(), qr/token refused: \Q$why\E, client/, 'and in the log');
}


# A file

my $mine = hs256($secret, header => { kid => 'good' });

put('jwks.json', [@odd, $good]);
run_nginx("$store\nrooms_auth_jwks_file $dir/jwks.json;");
is(status($mine), 200, 'the one key that can be used');
is(status(hs256($secret, header => { kid => '12' })), 401,
   'none of them is used');

put('jwks.json', [{ %$good, kid => 'next' }, @odd]);
ok(wait_for(10, sub { status(hs256($secret, header => { kid => 'next' }))
                      == 200 }), 'another file of that kind');
is(warnings(), 1, 'one warning for those that can\'t be used');
like(nginx_log(), qr/\[warn\].*keys\[1\]: not an object, keys\[2\]: not an/,
     'which names them');
put('jwks.json', [@odd]);
ok(wait_for(10, sub {
       status($mine);
       nginx_log() =~ /no keys in .*: keys\[0\]: not an object/;
   }), 'one without any key that can be used');
is(status(hs256($secret, header => { kid => 'next' })), 200,
   'the keys that were there stay');

put('jwks.json', [map { { %$good, kid => "k$_" } } 0 .. 70]);
ok(wait_for(10, sub { status(hs256($secret, header => { kid => 'k63' }))
                      == 200 }), 'the 64th of many keys');
is(status(hs256($secret, header => { kid => 'k64' })), 401,
   'no more are taken');


# A location: the warning is said once, and not at each fetch

my $fetches = "$dir/fetches.log";
my $set = $json->encode({ keys => [@odd[5 .. 9], $good] });

run_nginx("$store
    rooms_auth_jwks_request /_keys;
    location = /_keys {
        internal;
        log_subrequest on;
        access_log $fetches;
        return 200 '$set';
    }
    location = /none { return 200; }");

is(status($mine), 200, 'from a location');
is(warnings(), 1, 'one warning');

my $unknown = hs256($secret, header => { kid => 'unknown' });

ok(wait_for(30, sub {
       status($unknown);
       open my $in, '<', $fetches or return 0;
       my @lines = <$in>;
       @lines >= 2;
   }), 'the set is fetched again');
is(warnings(), 1, 'of the same keys no other');


# Every size of HMAC by the secret

sub hmac {
    my ($alg, $mac) = @_;
    my $text = unsigned({ alg => $alg }, { sub => 'hans', tenant_id => 'acme',
                                           exp => time() + 600 });

    return "$text." . encode_base64url($mac->($text, $secret));
}

run_nginx(<<"END", log_level => 'info', http => <<'END');
$store
rooms_auth_secret_file $data/secret;
rooms_auth_jwks_file $data/jwks.json;
rooms_auth_issuer https://id.example;
rooms_auth_audience rooms;
large_client_header_buffers 4 32k;
access_log who.log who;
location = /v1/sync { rooms on; limit_req zone=slow; }
location = /v1/workspaces { rooms on; rooms_auth_issuer ''; rooms_auth_audience ''; }
END
log_format who '$rooms_tenant $rooms_participant $status';
limit_req_zone $rooms_tenant$rooms_participant$uri zone=slow:1m rate=1r/m;
END

for my $case (['HS384', \&hmac_sha384], ['HS512', \&hmac_sha512]) {
    is(http_req('GET', '/v1/workspaces', hmac(@$case))->[0], 200, $case->[0]);
}


# What a token is refused for, and that it is said once a request, though
# limit_req and the log ask, too

my %party = (iss => 'https://id.example', aud => 'rooms');

refused(hs256($secret, %party, iss => 'https://evil.example'),
        '"iss" is missing or another issuer');
refused(hs256($secret, %party, aud => ['x']),
        '"aud" is missing or another audience');
refused(hs256("$secret?", %party), 'the signature doesn\'t match');
refused(hs256($secret, %party, sub => 'a b'), '"sub" is missing or no id of 1 '
        . 'to 255 visible ASCII characters');
refused(hs256($secret, %party, tenant_id => undef),
        '"tenant_id" is missing or no tenant id');
refused(hs256($secret, %party, exp => undef),
        '"exp" is missing or no time in seconds');
refused(hs256($secret, %party, nbf => time() + 600),
        '"nbf" is in the future');
refused(hs256($secret, %party, iat => time() + 600),
        '"iat" is in the future');
refused(hs256($secret, %party, iat => 'x'),
        '"nbf" or "iat" is no time in seconds');
refused(hs256($secret, %party, header => { kid => 'who' }),
        'no key has this "kid"');
refused(hs256($secret, %party, header => { crit => ['x'] }),
        '"crit" extensions are not supported');
refused(hs256($secret, %party, header => { alg => 'none' }),
        '"alg" is missing or not accepted');
refused(hs256($secret, %party, header => { alg => 'PS256' }),
        'no key serves this "alg"');
refused(unsigned({ alg => 'HS256' }, {}),
        'the token is not three parts with dots between');
refused('no token', 'the token is not three parts with dots between');
refused(unsigned('{', '{}') . '.AAAA',
        'the header is no JSON object in base64url');
refused('x' x 9000, 'the token is longer than 8192 bytes');

{
    my $res = answer(hs256($secret, %party, exp => time() - 600));

    is("$res->[0] $res->[1]{'www-authenticate'}",
       '401 Bearer error="invalid_token", error_description="the token has '
       . 'expired"', 'expired');
    is(json_get($res->[2], 'error.code'), 'SW_AUTH_EXPIRED_TOKEN', 'its code');
    is(answer(undef)->[1]{'www-authenticate'}, 'Bearer',
       'without a token: no error');
    is(answer(undef, undef, Authorization => 'Basic YTpi')
           ->[1]{'www-authenticate'}, 'Bearer', 'nor with another scheme');
}

for my $path ('/v1/auth/register', '/v1/sync') {
    my $before = () = nginx_log() =~ /token refused/g;
    my $res = http_req($path eq '/v1/sync' ? 'GET' : 'POST', $path,
                       hs256("$secret!", %party));

    is($res->[0], 401, "$path: refused");
    is(scalar(() = nginx_log() =~ /token refused/g) - $before, 1,
       'and verified once');
}

# what a variable found out is not said of another error

{
    my @res = map { http_req('GET', '/v1/sync', hs256("$secret!", %party)) }
              1 .. 2;
    my ($limited) = grep { $_->[0] == 429 } @res;

    SKIP: {
        skip('limit_req counts no empty key', 1) if !$limited;
        unlike($limited->[2], qr/refused/, 'a 429 says nothing of tokens');
    }
}

# a token that is too long is that in every mode

for my $mode (qw(hybrid mock)) {
    run_nginx("$store\nrooms_auth $mode;\n"
              . "rooms_auth_secret_file $data/secret;\n"
              . 'large_client_header_buffers 4 32k;');
    refused(hs256($secret, pad => 'x' x 6200),
            'the token is longer than 8192 bytes', "$mode: too long");
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
