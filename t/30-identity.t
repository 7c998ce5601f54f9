# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# docs/identity.md: each recipe is taken from the page as it stands there, and
# tried with keys and tokens of the shape that its provider gives out.  Only
# the scheme and host of the provider are replaced, by a location of the same
# server.

use strict;
use warnings;

use Digest::SHA qw(sha1);
use File::Temp ();
use MIME::Base64 qw(decode_base64 encode_base64 encode_base64url);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(slurp write_file);
use RoomsTest::Token qw(hs256);
use Test::Nginx::Socket 'no_plan';

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp::tempdir('rooms-identity-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
our $now = time();
my $page = slurp('docs/identity.md');

Test::More::plan(skip_all => 'no openssl') if !`openssl version 2>/dev/null`;


# Keys

sub put { write_file("$dir/$_[0]", $_[1]) }

# An RSA key and a certificate of it, as providers show them: n, e, x5c.
sub new_key {
    my ($name, $bits) = @_;

    $bits //= 2048;
    system("openssl req -x509 -newkey rsa:$bits -nodes -subj /CN=$name "
           . "-days 30 -keyout $dir/$name.pem -out $dir/$name.crt "
           . '2>/dev/null') == 0 or die "no key\n";

    my ($n) = `openssl x509 -in $dir/$name.crt -noout -modulus` =~ /=(\S+)/;
    my $der = decode_base64(slurp("$dir/$name.crt") =~ s/-----.*?-----//gr);

    return { name => $name, n => encode_base64url(pack 'H*', $n),
             x5c => encode_base64($der, ''),
             x5t => encode_base64url(sha1($der)) };
}

my %key = map { $_ => new_key($_) } qw(one two other);

# Members of a key: "n e x5c x5t" and whatever is given.
sub jwk {
    my ($key, $members, %more) = @_;
    my %jwk = (kty => 'RSA', e => 'AQAB', n => $key{$key}{n}, %more);

    $jwk{x5c} = [$key{$key}{x5c}] if $members =~ /x5c/;
    $jwk{x5t} = $key{$key}{x5t} if $members =~ /x5t/;

    return \%jwk;
}

sub token {
    my ($key, $header, $claims) = @_;
    my $text = join '.', map { encode_base64url($json->encode($_)) }
               { alg => 'RS256', %$header }, $claims;

    put('input', $text);

    my $signature = `openssl dgst -sha256 -sign $dir/$key.pem $dir/input`;

    return "$text." . encode_base64url($signature);
}


# Of each provider: the path of its keys, the keys, the header of a token, the
# claims of a user, the claim that says who it is ("sub" if none is named), what
# an administrator has instead, and what somebody has who might be taken for
# one.

my %provider;

# Keycloak: a key for encryption stands first; roles are an array inside an
# object; one audience among several.

{
    my $issuer = 'https://id.example.com/realms/acme';
    my $kid = 'FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE';
    my $uuid = '6f6a0c7e-6d0a-4c7e-9b5a-0f3f7f3c2b11';

    $provider{'Keycloak'} = {
        path => '/realms/acme/protocol/openid-connect/certs',
        keys => [jwk('two', 'x5c x5t', kid => 'enc-key', alg => 'RSA-OAEP',
                     use => 'enc', 'x5t#S256' => 'AAAA'),
                 jwk('one', 'x5c x5t', kid => $kid, alg => 'RS256',
                     use => 'sig', 'x5t#S256' => 'AAAA')],
        header => { typ => 'JWT', kid => $kid },
        claims => { exp => $now + 3600, iat => $now, auth_time => $now - 9,
            jti => 'onrtac:33c6b1f2-7e3d-4d0e-8c1b-0c7d3f0a2d11',
            iss => $issuer, aud => ['rooms', 'account'], sub => $uuid,
            typ => 'Bearer', azp => 'web', sid => 'b1a5', acr => '1',
            'allowed-origins' => ['https://chat.example.com'],
            realm_access => { roles => ['default-roles-acme',
                                        'offline_access'] },
            resource_access => { account => { roles => ['view-profile'] } },
            scope => 'openid profile email', email_verified => \1,
            name => 'Ada Lovelace', preferred_username => 'ada',
            given_name => 'Ada', family_name => 'Lovelace',
            email => 'ada@acme.example' },
        admin => [sub => 'boss', realm_access =>
                  { roles => ['offline_access', 'rooms-admin'] }],
        other => [sub => 'else', roles => ['tenant_admin'], realm_access =>
                  { roles => ['tenant_admin'] }],
    };
}

# Auth0: the id has a bar in it; claims are URLs; two keys while they rotate.

{
    my $issuer = 'https://acme.eu.auth0.com/';
    my $kid = 'NkJCQzIyQzRBMEU4_NjQyNDhDMUU5MkUwMDEx-Q';

    $provider{'Auth0'} = {
        path => '/.well-known/jwks.json',
        keys => [jwk('one', 'x5c x5t', use => 'sig', kid => $kid,
                     alg => 'RS256'),
                 jwk('two', 'x5c x5t', use => 'sig', kid => 'next',
                     alg => 'RS256')],
        header => { typ => 'JWT', kid => $kid },
        claims => { 'https://acme.example/tenant' => 'acme',
            'https://acme.example/name' => 'Ada Lovelace',
            'https://acme.example/nickname' => 'ada', iss => $issuer,
            sub => 'auth0|64f0a1b2c3d4e5f60718293a',
            aud => ['https://rooms.acme.example',
                    'https://acme.eu.auth0.com/userinfo'],
            iat => $now, exp => $now + 86400, scope => 'openid profile',
            azp => 'AbCdEf', permissions => ['rooms:read'] },
        admin => [sub => 'google-oauth2|110', permissions =>
                  ['rooms:read', 'admin:access']],
        other => [sub => 'auth0|2', permissions => ['tenant_admin']],
    };
}

# Entra ID: keys without "alg", with members of its own.

{
    my $tid = '11111111-2222-3333-4444-555555555555';
    my $issuer = "https://login.microsoftonline.com/$tid/v2.0";
    my $oid = '0f3f7f3c-6d0a-4c7e-9b5a-6f6a0c7e2b11';
    my %own = (use => 'sig', cloud_instance_name => 'microsoftonline.com',
               issuer => $issuer);

    $provider{'Entra ID'} = {
        path => "/$tid/discovery/v2.0/keys",
        keys => [jwk('two', 'x5c x5t', kid => $key{two}{x5t}, %own),
                 jwk('one', 'x5c x5t', kid => $key{one}{x5t}, %own)],
        header => { typ => 'JWT', kid => $key{one}{x5t} },
        sub => 'oid',
        claims => { aud => 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
            iss => $issuer, iat => $now, nbf => $now, exp => $now + 4500,
            aio => 'AXQAi/8TAAAA', azp => '9f3c', azpacr => '0',
            name => 'Ada Lovelace', oid => $oid,
            preferred_username => 'ada@acme.example', rh => '0.AXYA',
            roles => ['Rooms.User'], scp => 'access_as_user',
            sub => 'pairwise-Q3vJ4', tid => $tid, uti => 'fqiB', ver => '2.0' },
        admin => [oid => 'boss', roles => ['Rooms.User', 'Rooms.Admin']],
        other => [oid => 'else', roles => ['tenant_admin']],
    };
}

# Okta: "sub" is the login, scopes an array, groups have spaces.

{
    my $kid = 'p1o5y2_kWq8pVYqJ4S3vB9gCj0S2k3wFJb4Yx0ZkTtI';

    $provider{'Okta'} = {
        path => '/oauth2/default/v1/keys',
        keys => [jwk('one', '', alg => 'RS256', kid => $kid, use => 'sig')],
        header => { kid => $kid },
        sub => 'uid',
        claims => { ver => 1, jti => 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7',
            iss => 'https://acme.okta.com/oauth2/default',
            aud => 'api://default', iat => $now, exp => $now + 3600,
            cid => '0oaAbc', uid => '00u1abcdEFGH2ijklMN5', auth_time => $now,
            scp => ['openid', 'profile'], sub => 'ada@acme.example',
            name => 'Ada Lovelace', groups => ['Everyone'] },
        admin => [uid => '00uboss', groups => ['Everyone', 'Rooms Admins']],
        other => [uid => '00uelse', groups => ['Rooms', 'Admins']],
    };
}

# Cognito: a kid that ends in "=", claims with colons.

{
    my $pool = 'eu-central-1_Ab12Cd34E';
    my $kid = 'abcdefGHIJklmnop+qrst/uvwxYZ0123456789abcdE=';
    my $uuid = 'b3a4c812-5071-70d5-2f4a-1f0e6f1a2b3c';

    $provider{'Cognito'} = {
        path => "/$pool/.well-known/jwks.json",
        keys => [jwk('one', '', alg => 'RS256', kid => $kid, use => 'sig'),
                 jwk('two', '', alg => 'RS256', kid => 'access=',
                     use => 'sig')],
        header => { kid => $kid },
        claims => { sub => $uuid, 'cognito:groups' => ['users'],
            email_verified => \1, 'cognito:username' => 'ada',
            iss => "https://cognito-idp.eu-central-1.amazonaws.com/$pool",
            origin_jti => 'a1', aud => '4h57fexample5kgc8k7q2ab3cd',
            event_id => 'e1', token_use => 'id', auth_time => $now,
            name => 'Ada Lovelace', exp => $now + 3600, iat => $now,
            jti => 'j1', email => 'ada@acme.example',
            'custom:tenant_id' => 'acme' },
        admin => [sub => 'boss', 'cognito:groups' => ['users', 'rooms-admin']],
        other => [sub => 'else', roles => ['rooms-admin']],
    };
}

# Google: "sub" is digits, keys without certificates, no roles.

{
    my $client = '1234567890-abcdef.apps.googleusercontent.com';
    my $kid = '6f7254101f56e41cf35c9926de84a2d552b4c6f1';

    $provider{'Google'} = {
        path => '/oauth2/v3/certs',
        keys => [jwk('two', '', alg => 'RS256', use => 'sig',
                     kid => '0' x 40),
                 jwk('one', '', alg => 'RS256', use => 'sig', kid => $kid)],
        header => { typ => 'JWT', kid => $kid },
        claims => { iss => 'https://accounts.google.com', azp => $client,
            aud => $client, sub => '110169484474386276334',
            hd => 'acme.example', email => 'bob@acme.example',
            email_verified => \1, at_hash => 'HK6E_P6Dh8Y93mRNtsDB1Q',
            name => 'Bob B', picture => 'https://lh3.example/a', iat => $now,
            given_name => 'Bob', family_name => 'B', exp => $now + 3600,
            jti => 'f1' },
        admin => [sub => '7', email => 'ada@acme.example'],
        other => [sub => '8', roles => 'tenant_admin'],
    };
}

# The recipe of the page, and what its location of keys asks.
sub recipe {
    my ($name) = @_;
    my ($block) = $page =~ /^## \Q$name\E\n.*?^```nginx\n(.*?)^```$/ms
        or die "docs/identity.md has no recipe of $name\n";

    $block =~ s{proxy_pass https://[^/]+}
               {proxy_pass http://127.0.0.1:\$TEST_NGINX_SERVER_PORT}
        or die "the recipe of $name asks nobody\n";

    my $keys = $json->encode({ keys => $provider{$name}{keys} });

    return "rooms on;\nrooms_redis redis://\$TEST_NGINX_REDIS/0;\n"
           . "rooms_server_name chat.example;\n$block\n"
           . "location = $provider{$name}{path} { return 200 '$keys'; }\n";
}

# The header of a user of a provider, with claims that are replaced.
sub by {
    my ($name, %other) = @_;
    my %claims = (%{$provider{$name}{claims}}, %other);

    defined $claims{$_} or delete $claims{$_} for keys %claims;

    return bearer(token('one', $provider{$name}{header}, \%claims));
}

sub bearer { return "Authorization: Bearer $_[0]" }

sub claims_of { return $provider{$_[0]}{claims} }
sub header_of { return $provider{$_[0]}{header} }

# Tokens that every provider's recipe refuses, and what their owners are told.
sub refused {
    my ($name) = @_;
    my $p = $provider{$name};

    return (
        [by($name, iss => "$p->{claims}{iss}x"), q('iss')],
        [by($name, aud => 'other'), q('aud')],
        [by($name, aud => undef), q('aud')],
        [by($name, exp => $now - 3600), 'expired'],
        [by($name, $p->{sub} // 'sub' => undef), 'visible ASCII'],
        [bearer(token('other', $p->{header}, $p->{claims})), 'signature'],
        [bearer(token('other', { %{$p->{header}}, kid => 'unknown' },
                      $p->{claims})), q(no key has this 'kid')],
        [bearer(join '.', (split /\./, token('one', { %{$p->{header}},
                           alg => 'none' }, $p->{claims}))[0, 1], 'AAAA'),
         q('alg')],
    );
}

# Administrators see rooms that everybody has left; who looks like one doesn't.
sub looks {
    my ($name) = @_;

    return (by($name, @{$provider{$name}{admin}}),
            by($name, @{$provider{$name}{other}}));
}

my $secret = 'a secret of thirty-two bytes, at least';

put('secret', $secret);
$ENV{TEST_NGINX_DIR} = $dir;

our ($longest) = grep { length == 8192 }
                 map { hs256($secret, groups => 'x' x $_) } 5900 .. 6100;
our $longer = hs256($secret, groups => 'x' x 6100);
our ($buffers) = $page =~ /^(large_client_header_buffers [^;]+;)$/m;

Test::More::is(length $longest, 8192, 'a token of 8 KiB');

# A block without config has that of the one before, and every request
# registers, if it doesn't say otherwise.
add_block_preprocessor(sub {
    my ($block) = @_;

    default_config($block->config);

    $block->set_value(request => 'POST /v1/auth/register')
        if !defined $block->request;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: Keycloak: who a user is, the first time and again
--- config eval: ::recipe('Keycloak')
--- init: ::redis('FLUSHALL');
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[(::by('Keycloak')) x 2]
--- json eval
[("data.participant_id = \"6f6a0c7e-6d0a-4c7e-9b5a-0f3f7f3c2b11\"\ndata.tenant_id = acme\ndata.local_id = \"ada\"\n"
  . "data.display_name = \"Ada Lovelace\"") x 2]



=== TEST 2: Keycloak: what is refused, and what one is told
--- request eval
[("POST /v1/auth/register") x 8]
--- more_headers eval
[map { $_->[0] } ::refused('Keycloak')]
--- error_code eval
[(401) x 8]
--- response_headers_like eval
[map { qq(WWW-Authenticate: Bearer error="invalid_token", error_description="[^"\\\\]*$_->[1].*) } ::refused('Keycloak')]



=== TEST 3: Keycloak: a room that everybody has left
--- request
POST /v1/rooms
{"room_type": "group", "name": "R"}
--- more_headers eval: ::by('Keycloak')
--- error_code: 201
--- capture
room: json data.id



=== TEST 4: ... is seen by an administrator, and by nobody who has a word like it elsewhere
--- request eval
["POST /v1/rooms/{{room}}/leave", ("GET /v1/rooms/{{room}}") x 2]
--- more_headers eval
[::by('Keycloak'), ::looks('Keycloak')]
--- error_code eval
[200, 200, 404]



=== TEST 5: Keycloak: its key for encryption is passed over, with one warning
--- more_headers eval: ::by('Keycloak')
--- grep_error_log: are skipped: keys[0]
--- grep_error_log_out
are skipped: keys[0]



=== TEST 6: ... and signs nothing
--- more_headers eval
::bearer(::token('two', { typ => 'JWT', kid => 'enc-key' }, ::claims_of('Keycloak')))
--- error_code: 401
--- response_headers_like
WWW-Authenticate: .*no key has this 'kid'.*



=== TEST 7: Keycloak: somebody of another tenant
--- more_headers eval: ::by('Keycloak', tenant_id => 'globex')
--- error_code: 403



=== TEST 8: Keycloak: an organization, which is an array of one, as the tenant
--- config eval
::recipe('Keycloak') =~ s/rooms_tenant acme;/rooms_auth_claim tenant organization;/r
--- more_headers eval
::bearer(::token('one', ::header_of('Keycloak'),
         { exp => $::now + 3600, iss => 'https://id.example.com/realms/acme', aud => 'rooms', sub => 'u',
           organization => ['globex'] }))
--- json
data.participant_id = u
data.tenant_id = globex
data.local_id = u
data.display_name = u



=== TEST 9: Auth0: who a user is, the first time and again
--- config eval: ::recipe('Auth0')
--- init: ::redis('FLUSHALL');
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[(::by('Auth0')) x 2]
--- json eval
[("data.participant_id = \"auth0|64f0a1b2c3d4e5f60718293a\"\ndata.tenant_id = acme\ndata.local_id = \"ada\"\n"
  . "data.display_name = \"Ada Lovelace\"") x 2]



=== TEST 10: Auth0: what is refused, and what one is told
--- request eval
[("POST /v1/auth/register") x 8]
--- more_headers eval
[map { $_->[0] } ::refused('Auth0')]
--- error_code eval
[(401) x 8]
--- response_headers_like eval
[map { qq(WWW-Authenticate: Bearer error="invalid_token", error_description="[^"\\\\]*$_->[1].*) } ::refused('Auth0')]



=== TEST 11: Auth0: a room that everybody has left
--- request
POST /v1/rooms
{"room_type": "group", "name": "R"}
--- more_headers eval: ::by('Auth0')
--- error_code: 201
--- capture
room: json data.id



=== TEST 12: ... is seen by an administrator, and by nobody who has a word like it elsewhere
--- request eval
["POST /v1/rooms/{{room}}/leave", ("GET /v1/rooms/{{room}}") x 2]
--- more_headers eval
[::by('Auth0'), ::looks('Auth0')]
--- error_code eval
[200, 200, 404]



=== TEST 13: Auth0: without a tenant, and with one that stands elsewhere
--- request eval
[("POST /v1/auth/register") x 2]
--- more_headers eval
[::by('Auth0', 'https://acme.example/tenant' => undef),
 ::by('Auth0', 'https://acme.example/tenant' => undef, tenant_id => 'acme')]
--- error_code eval
[401, 401]
--- response_headers_like eval
[("WWW-Authenticate: .*tenant.*") x 2]



=== TEST 14: Entra ID: who a user is, the first time and again
--- config eval: ::recipe('Entra ID')
--- init: ::redis('FLUSHALL');
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[(::by('Entra ID')) x 2]
--- json eval
[("data.participant_id = \"0f3f7f3c-6d0a-4c7e-9b5a-6f6a0c7e2b11\"\ndata.tenant_id = 11111111-2222-3333-4444-555555555555\ndata.local_id = \"ada\@acme.example\"\n"
  . "data.display_name = \"Ada Lovelace\"") x 2]



=== TEST 15: Entra ID: what is refused, and what one is told
--- request eval
[("POST /v1/auth/register") x 8]
--- more_headers eval
[map { $_->[0] } ::refused('Entra ID')]
--- error_code eval
[(401) x 8]
--- response_headers_like eval
[map { qq(WWW-Authenticate: Bearer error="invalid_token", error_description="[^"\\\\]*$_->[1].*) } ::refused('Entra ID')]



=== TEST 16: Entra ID: a room that everybody has left
--- request
POST /v1/rooms
{"room_type": "group", "name": "R"}
--- more_headers eval: ::by('Entra ID')
--- error_code: 201
--- capture
room: json data.id



=== TEST 17: ... is seen by an administrator, and by nobody who has a word like it elsewhere
--- request eval
["POST /v1/rooms/{{room}}/leave", ("GET /v1/rooms/{{room}}") x 2]
--- more_headers eval
[::by('Entra ID'), ::looks('Entra ID')]
--- error_code eval
[200, 200, 404]



=== TEST 18: Entra ID: no directory
--- more_headers eval: ::by('Entra ID', tid => undef)
--- error_code: 401
--- response_headers_like
WWW-Authenticate: .*tenant.*



=== TEST 19: Okta: who a user is, the first time and again
--- config eval: ::recipe('Okta')
--- init: ::redis('FLUSHALL');
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[(::by('Okta')) x 2]
--- json eval
[("data.participant_id = \"00u1abcdEFGH2ijklMN5\"\ndata.tenant_id = acme\ndata.local_id = \"ada\@acme.example\"\n"
  . "data.display_name = \"Ada Lovelace\"") x 2]



=== TEST 20: Okta: what is refused, and what one is told
--- request eval
[("POST /v1/auth/register") x 8]
--- more_headers eval
[map { $_->[0] } ::refused('Okta')]
--- error_code eval
[(401) x 8]
--- response_headers_like eval
[map { qq(WWW-Authenticate: Bearer error="invalid_token", error_description="[^"\\\\]*$_->[1].*) } ::refused('Okta')]



=== TEST 21: Okta: a room that everybody has left
--- request
POST /v1/rooms
{"room_type": "group", "name": "R"}
--- more_headers eval: ::by('Okta')
--- error_code: 201
--- capture
room: json data.id



=== TEST 22: ... is seen by an administrator, and by nobody who has a word like it elsewhere
--- request eval
["POST /v1/rooms/{{room}}/leave", ("GET /v1/rooms/{{room}}") x 2]
--- more_headers eval
[::by('Okta'), ::looks('Okta')]
--- error_code eval
[200, 200, 404]



=== TEST 23: Okta: another user with the same login
--- more_headers eval: ::by('Okta', uid => '00unew')
--- json
data.participant_id = 00unew
data.tenant_id = acme
data.local_id ~ ^ada@acme\.example-[0-9a-z]{6}$
data.display_name = Ada Lovelace



=== TEST 24: Cognito: who a user is, the first time and again
--- config eval: ::recipe('Cognito')
--- init: ::redis('FLUSHALL');
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[(::by('Cognito')) x 2]
--- json eval
[("data.participant_id = \"b3a4c812-5071-70d5-2f4a-1f0e6f1a2b3c\"\ndata.tenant_id = acme\ndata.local_id = \"ada\"\n"
  . "data.display_name = \"Ada Lovelace\"") x 2]



=== TEST 25: Cognito: what is refused, and what one is told
--- request eval
[("POST /v1/auth/register") x 8]
--- more_headers eval
[map { $_->[0] } ::refused('Cognito')]
--- error_code eval
[(401) x 8]
--- response_headers_like eval
[map { qq(WWW-Authenticate: Bearer error="invalid_token", error_description="[^"\\\\]*$_->[1].*) } ::refused('Cognito')]



=== TEST 26: Cognito: a room that everybody has left
--- request
POST /v1/rooms
{"room_type": "group", "name": "R"}
--- more_headers eval: ::by('Cognito')
--- error_code: 201
--- capture
room: json data.id



=== TEST 27: ... is seen by an administrator, and by nobody who has a word like it elsewhere
--- request eval
["POST /v1/rooms/{{room}}/leave", ("GET /v1/rooms/{{room}}") x 2]
--- more_headers eval
[::by('Cognito'), ::looks('Cognito')]
--- error_code eval
[200, 200, 404]



=== TEST 28: Cognito: its access tokens, as the page says
--- config eval
"rooms_tenant acme;\n" . ::recipe('Cognito') =~ s/rooms_auth_audience [^;]*;//r
                         =~ s/claim local cognito:username/claim local username/r
--- init: ::redis('FLUSHALL');
--- more_headers eval
::bearer(::token('two', { kid => 'access=' },
         { sub => 'b3a4c812-5071-70d5-2f4a-1f0e6f1a2b3c', 'cognito:groups' => ['users'],
           iss => 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab12Cd34E', client_id => '4h57',
           token_use => 'access', scope => 'aws.cognito.signin.user.admin', exp => $::now + 3600, iat => $::now,
           username => 'ada' }))
--- json
data.participant_id = b3a4c812-5071-70d5-2f4a-1f0e6f1a2b3c
data.tenant_id = acme
data.local_id = ada
data.display_name = ada



=== TEST 29: Google: a Workspace that isn't registered
--- config eval: ::recipe('Google')
--- init: ::redis('FLUSHALL');
--- more_headers eval: ::by('Google')
--- error_code: 404
--- json
error.code = SW_TENANT_NOT_FOUND
--- store
HSET sw:{acme.example}:tenant registered 1 = 1



=== TEST 30: Google: who a user is, the first time and again
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[(::by('Google')) x 2]
--- json eval
[("data.participant_id = \"110169484474386276334\"\ndata.tenant_id = acme.example\ndata.local_id = \"bob\@acme.example\"\n"
  . "data.display_name = \"Bob B\"") x 2]



=== TEST 31: Google: what is refused, and what one is told
--- request eval
[("POST /v1/auth/register") x 8]
--- more_headers eval
[map { $_->[0] } ::refused('Google')]
--- error_code eval
[(401) x 8]
--- response_headers_like eval
[map { qq(WWW-Authenticate: Bearer error="invalid_token", error_description="[^"\\\\]*$_->[1].*) } ::refused('Google')]



=== TEST 32: Google: a room that everybody has left
--- request
POST /v1/rooms
{"room_type": "group", "name": "R"}
--- more_headers eval: ::by('Google')
--- error_code: 201
--- capture
room: json data.id



=== TEST 33: ... is seen by an administrator, and by nobody who has a word like it elsewhere
--- request eval
["POST /v1/rooms/{{room}}/leave", ("GET /v1/rooms/{{room}}") x 2]
--- more_headers eval
[::by('Google'), ::looks('Google')]
--- error_code eval
[200, 200, 404]



=== TEST 34: Google: a private account, and another Workspace
--- request eval
[("POST /v1/auth/register") x 2]
--- more_headers eval
[::by('Google', hd => undef), ::by('Google', hd => 'other.example')]
--- error_code eval
[401, 404]
--- response_headers_like eval
["WWW-Authenticate: .*tenant.*", ""]



=== TEST 35: a token of 8 KiB is taken with the buffers that the page names
--- config eval
'rooms on; rooms_redis redis://$TEST_NGINX_REDIS/0; rooms_auth_secret_file $TEST_NGINX_DIR/secret;' . $::buffers
--- more_headers eval: ::bearer($::longest)
--- json
data.participant_id = hans



=== TEST 36: ... and refused by NGINX without them
--- config
rooms on;
rooms_redis redis://$TEST_NGINX_REDIS/0;
rooms_auth_secret_file $TEST_NGINX_DIR/secret;
--- more_headers eval: ::bearer($::longest)
--- error_code: 400



=== TEST 37: a longer one is none
--- config eval
'rooms on; rooms_redis redis://$TEST_NGINX_REDIS/0; rooms_auth_secret_file $TEST_NGINX_DIR/secret;' . $::buffers
--- more_headers eval: ::bearer($::longer)
--- error_code: 401
--- response_headers_like
WWW-Authenticate: .*longer than 8192 bytes.*
