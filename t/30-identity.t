# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# docs/identity.md: each recipe is taken from the page as it stands there, and
# tried with keys and tokens of the shape that its provider gives out.  Only
# the scheme and host of the provider are replaced, by one of our own.

use strict;
use warnings;

use Digest::SHA qw(sha1);
use File::Temp ();
use MIME::Base64 qw(decode_base64 encode_base64 encode_base64url);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Fake qw(fake stop_fake);
use RoomsTest::Process qw(slurp);
use RoomsTest::Token qw(hs256);

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp::tempdir('rooms-identity-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $port = free_port();
my $now = time();
my $page = slurp('docs/identity.md');

plan(skip_all => 'no openssl') if !`openssl version 2>/dev/null`;


# Keys

sub put {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";
}

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


# The provider: what is in the file of the path's name.

my %served;
my $provider;

sub provide {
    my ($path, $set) = @_;

    stop_fake($provider) if $provider;

    my $body = $json->encode($set);

    $provider = fake($port, sub {
        my ($sock) = @_;
        my $request = '';

        while ($request !~ /\r\n\r\n/) {
            sysread $sock, $request, 65536, length $request or last;
        }

        my $found = $request =~ m{^GET \Q$path\E HTTP};
        my $answer = $found ? $body : '{}';

        syswrite $sock, 'HTTP/1.1 ' . ($found ? '200 OK' : '404 Not Found')
            . "\r\nContent-Type: application/json\r\nConnection: close\r\n"
            . 'Content-Length: ' . length($answer) . "\r\n\r\n$answer";
    });
}


# The page's own block of a provider.
sub recipe {
    my ($name) = @_;
    my ($block) = $page =~ /^## \Q$name\E\n.*?^```nginx\n(.*?)^```$/ms
        or die "docs/identity.md has no recipe of $name\n";

    $block =~ s{proxy_pass https://[^/]+}{proxy_pass http://127.0.0.1:$port}
        or die "the recipe of $name asks nobody\n";

    return $block;
}

sub start {
    my ($block) = @_;

    redis('FLUSHALL');
    run_nginx("rooms on;\n"
              . "rooms_redis redis://\$TEST_NGINX_REDIS/0;\n"
              . "rooms_server_name chat.example;\n$block");
}

sub register { return http_req('POST', '/v1/auth/register', @_) }

# One test: who one is by a token.
sub is_who {
    my ($token, $want, $name) = @_;
    my $res = register($token);
    my $data = $res->[0] == 200 ? $json->decode($res->[2])->{data} : {};
    my $got = join ' | ', map { $_ // '' }
              @$data{qw(participant_id tenant_id local_id display_name)};

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is($got, $want, $name)
           || diag("$res->[0] $res->[2]\n", nginx_log());
}

# One test: a token is refused, and its owner told why.
sub is_refused {
    my ($token, $why, $name) = @_;
    my $res = register($token);
    my $got = $res->[1]{'www-authenticate'} // '';

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return like("$res->[0] $got",
                qr/^401 Bearer error="invalid_token", error_description="[^"\\]*$why/,
                $name);
}

# Administrators see rooms that everybody has left.
sub is_admin {
    my ($maker, $token, $want, $name) = @_;
    my $room = http_req('POST', '/v1/rooms', $maker,
                        { room_type => 'group', name => 'R' });

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $path = '/v1/rooms/' . json_get($room->[2], 'data.id');

    http_req('POST', "$path/leave", $maker);

    return is(http_req('GET', $path, $token)->[0], $want ? 200 : 404, $name)
           || diag($room->[2]);
}

# What is the same with all: p has "path", "keys", "header", "claims" of a
# user, "is" what they are here, "admin" claims of an administrator.
sub try_provider {
    my ($name, %p) = @_;
    my $with = sub {
        my %claims = (%{$p{claims}}, @_);

        defined $claims{$_} or delete $claims{$_} for keys %claims;

        return token('one', $p{header}, \%claims);
    };
    my $user = $with->();
    my $sub = $p{sub} // 'sub';

    provide($p{path}, { keys => $p{keys} });
    start(recipe($name));
    redis('HSET', "sw:{$p{strict}}:tenant", 'registered', 1) if $p{strict};

    is_who($user, $p{is}, "$name: a user");
    is_who($user, $p{is}, "$name: again");
    is_refused($with->(iss => "$p{claims}{iss}x"), q('iss'),
               "$name: another issuer");
    is_refused($with->(aud => 'other'), q('aud'), "$name: another audience");
    is_refused($with->(aud => undef), q('aud'), "$name: no audience");
    is_refused($with->(exp => $now - 3600), 'expired', "$name: expired");
    is_refused($with->($sub => undef), 'visible ASCII',
               "$name: nobody");
    is_refused(token('other', $p{header}, $p{claims}), 'signature',
               "$name: signed by somebody else");
    is_refused(token('other', { %{$p{header}}, kid => 'unknown' },
                     $p{claims}), q(no key has this 'kid'),
               "$name: by a key that nobody knows");
    is_refused(join('.', (split /\./, token('one', { %{$p{header}},
                    alg => 'none' }, $p{claims}))[0, 1], 'AAAA'), q('alg'),
               "$name: by none");

    my $admin = $with->(@{$p{admin}});

    is_admin($user, $admin, 1, "$name: an administrator");
    is_admin($user, $with->(@{$p{other}}), 0, "$name: and who isn't one");

    return $with;
}


# Keycloak: a key for encryption stands first; roles are an array inside an
# object; one audience among several.

{
    my $issuer = 'https://id.example.com/realms/acme';
    my $kid = 'FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE';
    my $uuid = '6f6a0c7e-6d0a-4c7e-9b5a-0f3f7f3c2b11';

    my $with = try_provider('Keycloak',
        path => '/realms/acme/protocol/openid-connect/certs',
        keys => [jwk('two', 'x5c x5t', kid => 'enc-key', alg => 'RSA-OAEP',
                     use => 'enc', 'x5t#S256' => 'AAAA'),
                 jwk('one', 'x5c x5t', kid => $kid, alg => 'RS256',
                     use => 'sig', 'x5t#S256' => 'AAAA')],
        header => { typ => 'JWT', kid => $kid },
        claims => { exp => $now + 300, iat => $now, auth_time => $now - 9,
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
        is => "$uuid | acme | ada | Ada Lovelace",
        admin => [sub => 'boss', realm_access =>
                  { roles => ['offline_access', 'rooms-admin'] }],
        other => [sub => 'else', roles => ['tenant_admin'], realm_access =>
                  { roles => ['tenant_admin'] }]);

    is(scalar(() = nginx_log() =~ /keys are passed over: keys\[0\]/g), 1,
       'Keycloak: the key for encryption is passed over with one warning');
    is_refused(token('two', { typ => 'JWT', kid => 'enc-key' },
                     { exp => $now + 300, iss => $issuer, aud => 'rooms',
                       sub => $uuid }), q(no key has this 'kid'),
               'Keycloak: and signs nothing');
    is(register($with->(tenant_id => 'globex'))->[0], 403,
       'Keycloak: of another tenant');
}

# the organization, an array of one

start(recipe('Keycloak') =~ s/rooms_tenant acme;/
      rooms_auth_claim tenant organization;/r);
is_who(token('one', { kid => 'FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE' },
             { exp => $now + 300, iss => 'https://id.example.com/realms/acme',
               aud => 'rooms', sub => 'u', organization => ['globex'] }),
       'u | globex | u | u', 'Keycloak: an organization is the tenant');


# Auth0: the id has a bar in it; claims are URLs; two keys while they rotate.

{
    my $issuer = 'https://acme.eu.auth0.com/';
    my $kid = 'NkJCQzIyQzRBMEU4_NjQyNDhDMUU5MkUwMDEx-Q';

    my $with = try_provider('Auth0',
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
        is => 'auth0|64f0a1b2c3d4e5f60718293a | acme | ada | Ada Lovelace',
        admin => [sub => 'google-oauth2|110', permissions =>
                  ['rooms:read', 'admin:access']],
        other => [sub => 'auth0|2', permissions => ['tenant_admin']]);

    is_refused($with->('https://acme.example/tenant' => undef), 'tenant',
               'Auth0: without a tenant');
    is_refused($with->('https://acme.example/tenant' => undef,
                       tenant_id => 'acme'), 'tenant',
               'Auth0: a tenant that stands elsewhere');
}


# Entra ID: keys without "alg", with members of its own.

{
    my $tid = '11111111-2222-3333-4444-555555555555';
    my $issuer = "https://login.microsoftonline.com/$tid/v2.0";
    my $oid = '0f3f7f3c-6d0a-4c7e-9b5a-6f6a0c7e2b11';
    my %own = (use => 'sig', cloud_instance_name => 'microsoftonline.com',
               issuer => $issuer);

    my $with = try_provider('Entra ID',
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
        is => "$oid | $tid | ada\@acme.example | Ada Lovelace",
        admin => [oid => 'boss', roles => ['Rooms.User', 'Rooms.Admin']],
        other => [oid => 'else', roles => ['tenant_admin']]);

    is_refused($with->(tid => undef), 'tenant', 'Entra ID: no directory');
}


# Okta: "sub" is the login, scopes an array, groups have spaces.

{
    my $kid = 'p1o5y2_kWq8pVYqJ4S3vB9gCj0S2k3wFJb4Yx0ZkTtI';

    my $with = try_provider('Okta',
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
        is => '00u1abcdEFGH2ijklMN5 | acme | ada@acme.example | Ada Lovelace',
        admin => [uid => '00uboss', groups => ['Everyone', 'Rooms Admins']],
        other => [uid => '00uelse', groups => ['Rooms', 'Admins']]);

    is_who($with->(uid => '00unew'),
           '00unew | acme | ' . json_get(register($with->(uid => '00unew'))
                                         ->[2], 'data.local_id')
           . ' | Ada Lovelace', 'Okta: the same login, another user');
}


# Cognito: a kid that ends in "=", claims with colons.

{
    my $pool = 'eu-central-1_Ab12Cd34E';
    my $kid = 'abcdefGHIJklmnop+qrst/uvwxYZ0123456789abcdE=';
    my $uuid = 'b3a4c812-5071-70d5-2f4a-1f0e6f1a2b3c';

    my $with = try_provider('Cognito',
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
        is => "$uuid | acme | ada | Ada Lovelace",
        admin => [sub => 'boss', 'cognito:groups' => ['users', 'rooms-admin']],
        other => [sub => 'else', roles => ['rooms-admin']]);

    # its access tokens, as the page says

    my $access = recipe('Cognito') =~ s/rooms_auth_audience [^;]*;//r
                 =~ s/claim local cognito:username/claim local username/r;

    start("rooms_tenant acme;\n$access");
    is_who(token('two', { kid => 'access=' },
                 { sub => $uuid, 'cognito:groups' => ['users'],
                   iss => "https://cognito-idp.eu-central-1.amazonaws.com/$pool",
                   client_id => '4h57', token_use => 'access',
                   scope => 'aws.cognito.signin.user.admin', exp => $now + 60,
                   iat => $now, username => 'ada' }),
           "$uuid | acme | ada | ada", 'Cognito: an access token');
}


# Google: "sub" is digits, keys without certificates, no roles.

{
    my $client = '1234567890-abcdef.apps.googleusercontent.com';
    my $kid = '6f7254101f56e41cf35c9926de84a2d552b4c6f1';

    my $with = try_provider('Google',
        path => '/oauth2/v3/certs', strict => 'acme.example',
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
        is => '110169484474386276334 | acme.example | bob@acme.example'
              . ' | Bob B',
        admin => [sub => '7', email => 'ada@acme.example'],
        other => [sub => '8', roles => 'tenant_admin']);

    is_refused($with->(hd => undef), 'tenant', 'Google: a private account');
    is(register($with->(hd => 'other.example'))->[0], 404,
       'Google: another Workspace');
}


# Sizes: up to 8 KiB, with the buffers that the page names

{
    my ($buffers) = $page =~ /^(large_client_header_buffers [^;]+;)$/m;
    my $secret = 'a secret of thirty-two bytes, at least';
    my $longest = '';

    put('secret', $secret);

    for my $n (5900 .. 6100) {
        my $token = hs256($secret, groups => 'x' x $n);

        $longest = $token if length $token == 8192;
    }

    is(length $longest, 8192, 'a token of 8 KiB');

    for my $with ($buffers, '') {
        run_nginx("rooms on;\nrooms_redis redis://\$TEST_NGINX_REDIS/0;\n"
                  . "rooms_auth_secret_file $dir/secret;\n$with");
        is(register($longest)->[0], $with ? 200 : 400,
           $with ? 'is taken with them' : 'and NGINX refuses it without');
    }

    run_nginx("rooms on;\nrooms_redis redis://\$TEST_NGINX_REDIS/0;\n"
              . "rooms_auth_secret_file $dir/secret;\n$buffers");
    is_refused(hs256($secret, groups => 'x' x 6100), 'longer than 8192 bytes',
               'a longer one');
}

stop_fake($provider);

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
