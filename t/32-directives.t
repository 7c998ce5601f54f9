# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Directives: what nginx -t says of a wrong one, and what a right one does.

use strict;
use warnings;

use Cwd ();
use File::Temp ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(find_program slurp);

my $dir = File::Temp::tempdir('rooms-conf-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $data = Cwd::cwd() . '/t/data';
my $nginx = find_program($ENV{TEST_NGINX_BINARY} || 'nginx');
my ($ada, $bob) = ('mock:ada@acme', 'mock:bob@acme');
my $store = "rooms_redis redis://$ENV{TEST_NGINX_REDIS}/0;";

sub put {
    my ($path, $text) = @_;

    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out or die "$path: $!\n";
}

# nginx -t; the server's text begins in line 10
sub check {
    my ($server, $http) = @_;
    my $modules = join ' ', map { "load_module $_;" }
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';

    $http //= '';
    put("$dir/nginx.conf", <<"END");
$modules
pid $dir/nginx.pid; error_log stderr notice; events { }
http {
access_log off; client_body_temp_path $dir/body; proxy_temp_path $dir/proxy;
fastcgi_temp_path $dir/f; uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
$http


server { listen 127.0.0.1:1;
$server
} }
END

    return scalar `$nginx -t -p $dir -e stderr -c $dir/nginx.conf 2>&1`;
}

sub bad {
    my ($text, $message, $line) = @_;
    my $said = check($text);

    $line //= 10;
    like($said, qr/\[emerg\].*$message.*nginx\.conf:$line$/m, $text);
}

sub good {
    my ($text, $http) = @_;

    like(check($text, $http), qr/test is successful/, $text);
}


# What is refused, and where

bad('rooms maybe;', 'must be "on" or "off"');
bad('rooms;', 'invalid number of arguments');
bad("rooms on;\nrooms on;", '"rooms" directive is duplicate', 11);
bad('rooms_auth mock; location /a { rooms on; rooms off; }', 'is duplicate');
bad('location /a { rooms on; proxy_pass http://127.0.0.1; rooms_status; }',
    'another handler');
bad('rooms_auth mock; location /a { stub_status; rooms on; }',
    'another handler');
bad('rooms_serve room;', '"rooms_serve" directive has the invalid value "room":'
    . ' it takes "rooms", "directory", .* "media" in');
bad('rooms_serve rooms nothing;', 'invalid value "nothing": it takes "rooms"');
bad('rooms_serve;', 'invalid number of arguments');
bad('location /a { rooms_serve rooms; }', 'not allowed here');
bad('rooms_fallback name;', 'must name a location, "@name"');
bad('rooms_fallback @;', 'must name a location');
bad('rooms_fallback @a; rooms_fallback @b;', 'is duplicate');
bad('rooms_status;', 'not allowed here');

# what can't be honoured

bad("rooms_auth mock;\nlocation /a {\nrooms on; proxy_pass http://127.0.0.1; }",
    '"rooms on" has another handler beside it in location "/a" in', 12);
bad("rooms on; rooms_auth mock;\nrooms_serve directory;\n"
    . "location $_ {\nrooms on; }",
    '"rooms on" serves nothing, since "rooms_serve" leaves its part out, '
    . 'in location', 13)
    for '/v1/sync', '= /v1/sync', '^~ /v1/sync', '/v1/rooms/', '/v1/rooms/x',
        '/_scaiwave';
good("rooms on; rooms_auth mock; rooms_serve directory; "
     . "location $_ { rooms on; }")
    for '/', '/v1/', '/v1/directory', '= /v1/directory/rooms', '~ ^/v1/sync',
        '/api/', '@named';

# what has to be there

for my $case (['rooms_fallback @old', 'location /old { }'],
              ['rooms_fallback @old', 'location @older { }'],
              ['rooms_auth_jwks_request /_jwks', 'location @_jwks { }'],
              ['rooms_auth_jwks_request /_jwks?a=/_key', 'location /_key { }'],
              ['rooms_federation_pass /_peer', 'location = /_peer/ { }'])
{
    my ($directive, $other) = @$case;
    my ($name, $uri) = split / /, $directive;
    my $federation = $name =~ /federation/
        ? 'rooms_federation on; rooms_federation_key key; rooms_tenant t; '
          . 'rooms_server_name a.example; '
        : '';

    put("$dir/key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    chmod 0600, "$dir/key";

    for my $where ("rooms on;\n$directive;", "$directive;\nrooms on;") {
        bad("rooms_auth mock; $federation$other\n$where",
            qr/"$name" names the location "\Q$uri\E", which the server in \S+:9/,
            $where =~ /^rooms on/ ? 12 : 11);
    }

    bad("rooms_auth mock; $federation$other\n"
        . "location /v1/sync {\nrooms on;\n$directive; }",
        qr/"$name" names the location/, 13);
    good("rooms_auth mock; $federation $directive; $other");  # not on

    (my $path = $uri) =~ s/\?.*//;

    good("rooms_auth mock; $federation$directive; rooms on; "
         . "location $_ { return 200; }")
        for $path =~ /^@/ ? $path : ($path, "= $path", "~ ^$path", '/');
}

for my $case (
    ['http://127.0.0.1', 'must begin with "redis://"'],
    ['127.0.0.1:6379', 'must begin with'],
    ['redis://', 'has no host'],
    ['redis:///0', 'has no host'],
    ['redis://127.0.0.1:0/0', 'invalid port'],
    ['redis://127.0.0.1:99999/0', 'invalid port'],
    ['redis://127.0.0.1:x/0', 'invalid port'],
    ['redis://127.0.0.1/x', 'invalid database number'],
    ['redis://127.0.0.1/-1', 'invalid database number'],
    ['redis://127.0.0.1/0/1', 'invalid database number'],
    ['redis://user@127.0.0.1/0', 'user:password'],
    ['redis://no.such.host.invalid/0', 'host not found'],
    ['redis+unix://', 'absolute path'],
    ['redis+unix://redis.sock', 'absolute path'],
    ['redis+unix:///' . 'x' x 120, 'too long a path'],
    ['redis+unix:///a?db=x', 'invalid database number'],
    ['redis+unix:///a?x=1', 'knows no query'],
    ['redis-sentinel://127.0.0.1:1', 'must end in "/name"'],
    ['rediss://127.0.0.1/0', 'TLS'],
) {
    bad("rooms_redis $case->[0];", qr/rooms_redis.*\Q$case->[1]\E/);
}

bad('rooms_redis redis://127.0.0.1/0; rooms_redis redis://127.0.0.1/1;',
    'is duplicate');
bad("rooms_redis_timeout soon;", 'invalid value');
bad('rooms_redis_wait 0;', 'number of replicas');
bad('rooms_redis_wait two;', 'number of replicas');
bad('rooms_redis_wait off 1s;', 'time behind "off"');
bad('rooms_redis_wait 1 soon;', 'needs a time');
like(check('rooms on; rooms_auth mock; rooms_redis_wait 1 2s;'),
     qr/\[emerg\].*waits 2000ms, which must be less than/,
     'rooms_redis_wait as long as a round to the store');
good('rooms on; rooms_auth mock; rooms_redis_wait 2 300ms;');
bad("rooms_redis_connect_timeout -1s;", 'invalid value');
bad('rooms_key_prefix "";', 'must be 1 to 64 bytes');
bad('rooms_key_prefix "a{b}c";', 'without braces');
bad('rooms_key_prefix ' . 'x' x 65 . ';', 'must be 1 to 64 bytes');
bad('rooms_auth none;', '"rooms_auth" directive has the invalid value "none":'
    . ' it takes "jwt", "mock", "hybrid" in');
bad('rooms_import_limits entry=5;', '"rooms_import_limits" directive has the '
    . 'invalid value "entry=5": it takes "unpacked=SIZE", "entries=N", ');
bad('rooms_import_limits ratio=0;', 'invalid value "ratio=0"');
bad('rooms_auth_jwks_request keys;', 'must be a path');
bad('rooms_auth_leeway long;', 'invalid value');
bad('rooms_auth_claim sub a;', 'must begin with "participant", "tenant", '
    . '"name", "local" or "roles"');
bad('rooms_auth_claim roles;', 'invalid number of arguments');
bad('rooms_auth_claim roles a "";', 'has an empty word');
bad("rooms_auth_claim roles a b;\nrooms_auth_claim roles c;", 'is duplicate',
    11);
bad('rooms_auth_admin;', 'invalid number of arguments');
bad('rooms_auth_admin "";', 'has an empty word');
bad("rooms_auth_admin a b;\nrooms_auth_admin a;", 'is duplicate', 11);
good('rooms_auth_claim roles a b c d e f g h i j k l; rooms_auth_claim name '
     . '"a b"; rooms_auth_admin "a b" c;');
bad('rooms_tenant a/b;', 'must be 1 to 64 of');
bad('rooms_tenant "";', 'must be 1 to 64 of');
bad('rooms_tenants some;', '"rooms_tenants" directive has the invalid value '
    . '"some": it takes "open", "strict" in');
bad('rooms_server_name "a b";', 'must be a host name');
bad('rooms_server_name "";', 'must be a host name');
bad('rooms_max_participants 0;', 'must be between 1 and');
bad('rooms_max_participants many;', 'invalid number');
bad('rooms_max_rooms -1;', 'must be a number or "unlimited"');
bad('rooms_max_rooms 1; rooms_max_rooms unlimited;', 'is duplicate');

for my $name (qw(redis_timeout redis_connect_timeout auth_leeway)) {
    bad("rooms_$name 1s; rooms_$name 2s;", 'is duplicate');
}

for my $case (['key_prefix', 'a'], ['auth', 'mock'], ['tenant', 'a'],
              ['auth_issuer', 'a'], ['auth_audience', 'a'],
              ['auth_jwks_request', '/a'], ['auth_jwks_file', "$data/jwks.json"],
              ['auth_secret_file', "$data/secret"], ['tenants', 'open'],
              ['server_name', 'a'], ['max_participants', 1])
{
    my ($name, $value) = @$case;

    bad("rooms_$name $value;\nrooms_$name $value;",
        qr/"rooms_$name" directive is duplicate/, 11);
    bad("rooms_$name;", 'invalid number of arguments');
}

like(check('rooms on;'), qr/\[emerg\].*rooms_auth\ "jwt"\ needs
           \ rooms_auth_jwks_file,\ rooms_auth_jwks_request\ or
           \ rooms_auth_secret_file/x, 'no keys at all');

# tokens of identity providers

put("$dir/tokens", "# of one\r\n\n \t" . 'a' x 16 . "\r\n" . 'b' x 64);
put("$dir/notes", "# " . 'a' x 20 . "\n\n");
put("$dir/short", 'a' x 16 . "\n" . 'b' x 15 . "\n");
put("$dir/spaced", 'a' x 16 . ' ' . 'b' x 16 . "\n");
put("$dir/foreign", "a\xc3\xa9" . 'b' x 16 . "\n");
put("$dir/large", 'a' x 16 . "\n" x (8193 - 16));
put("$dir/full", 'a' x 16 . "\n" x (8192 - 16));
put("$dir/void", '');

good("rooms on; rooms_auth mock; rooms_tenant t; rooms_scim_token_file $_;")
    for "$dir/tokens", "$dir/full", 'tokens';

for my $case (['none', "can't be opened"], ['.', "can't be read"],
              ['void', 'has no token'], ['notes', 'has no token'],
              ['short', 'has a token of less than 16 characters'],
              ['spaced', "has a token that isn't visible ASCII"],
              ['foreign', "has a token that isn't visible ASCII"],
              ['large', 'is larger than 8192 bytes'])
{
    my ($file, $message) = @$case;

    bad("rooms on; rooms_auth mock; rooms_tenant t;\n"
        . "rooms_scim_token_file $dir/$file;",
        qr/rooms_scim_token_file: "\Q$dir\E\/\Q$file\E" $message in /, 11);
}

for my $where ("rooms_scim_token_file $dir/tokens;\nrooms on;",
               "location /scim/ {\nrooms_scim_token_file $dir/tokens; "
               . 'rooms on; }')
{
    bad("rooms_auth mock;\n$where", 'rooms_scim_token_file needs rooms_tenant,',
        $where =~ /^location/ ? 12 : 11);
}

bad("rooms_tenant t; rooms_scim_token_file $dir/tokens;\n"
    . "rooms_scim_token_file $dir/tokens;", 'is duplicate', 11);
good("rooms_auth mock; rooms_tenant t; rooms_scim_token_file $dir/tokens; "
     . 'location /scim/ { rooms on; }');

put("$dir/junk", "{\"keys\": [\n {\"kty\": \"RSA\"\n");
put("$dir/empty", '');
put("$dir/weak", "short\n");
put("$dir/nokey", '{"keys": []}');
put("$dir/enc", '{"keys": [{"kty": "oct", "use": "enc", "k": "'
                . 'A' x 43 . '"}]}');
put("$dir/mixed", '{"keys": [{"kty": "oct", "use": "enc"}, {"kty": "oct", '
                  . '"k": "' . 'A' x 43 . '"}]}');
put("$dir/rsa", '{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}');

for my $case (['jwks_file', 'none', 'No such file'],
              ['jwks_file', 'junk', 'not JSON in line'],
              ['jwks_file', 'empty', 'not JSON'],
              ['jwks_file', 'rsa', 'keys\[0\]: RSA key is shorter'],
              ['jwks_file', 'nokey', '"keys" is empty'],
              ['jwks_file', 'enc', 'keys\[0\]: "use" is not "sig"'],
              ['jwks_file', '.', 'is no file'],
              ['secret_file', 'none', 'No such file'],
              ['secret_file', 'empty', 'shorter than 16'],
              ['secret_file', 'weak', 'shorter than 16'])
{
    my ($name, $file, $message) = @$case;

    my $said = check("rooms on;\nrooms_auth_$name $dir/$file;");

    like($said, qr/\[emerg\].*\Q$dir\E\/$file.*$message/,
         "rooms_auth_$name: $file");
    like($said, qr/"rooms_auth_$name" .* usable keys in .*nginx\.conf:11/,
         'file and line');
}

is(scalar(() = check('rooms on; rooms_auth mock; rooms_federation on; '
                     . 'rooms_federation_key key; rooms_tenant t; '
                     . 'rooms_server_name a.example;')
                =~ /\[warn\].*server in \S+:9 has no location "\/_rooms_peer"/g),
   1, 'the default location of federation is missed once');


# What is accepted

{
    my $said = check("rooms on;\nrooms_auth_jwks_file $dir/mixed;");

    is(scalar(() = $said =~ /\[warn\]/g), 1, 'one warning of a key set');
    like($said, qr/\[warn\].*mixed"\ keys\ are\ passed\ over:\ keys\[0\]:\ "use"\ is
                   \ not\ "sig"\ in\ .*nginx\.conf:11$/xm
         , 'which says of which key, with file and line')
        || diag $said;
    like($said, qr/test is successful/, 'and is no error');
}

like(check('rooms on; rooms_auth mock;'),
     qr/\[warn\].*for development only.*test is successful/s, 'mock warns');
unlike(check("rooms on; rooms_auth_secret_file $data/secret;"),
       qr/\[warn\]/, 'jwt does not');
good('rooms off;');
good("rooms on; rooms_auth_secret_file $data/secret; rooms_redis $_;")
    for 'redis://127.0.0.1', 'redis://127.0.0.1/', 'redis://127.0.0.1:1/15',
        'redis://localhost', 'redis://:p%40ss@127.0.0.1/1', 'redis://[::1]/0',
        'redis://user:p@127.0.0.1:1/0', 'redis+unix:///no/such.sock',
        'redis+unix:///a?db=3', 'REDIS://127.0.0.1/0';
good('location /a { rooms on; } location /b { rooms off; }',
     'rooms_auth mock; rooms_redis_timeout 1s; rooms_max_rooms 5;');
good('location /a { if ($arg_x) { set $y 1; } limit_except GET { deny all; }'
     . ' rooms on; }', 'rooms_auth mock;');
like(check('location / { if ($arg_x) { rooms on; } }'), qr/not allowed here/,
     'not in an "if"');


# The tree, and locations of one's own

sub start { run_nginx($store . ' rooms_auth mock; ' . shift, @_) }

# the statuses of some requests
sub statuses {
    return join ' ', map { http_req('GET', $_, $ada)->[0] } @_;
}

my @paths = ('/v1/rooms/archived', '/v1/directory/rooms', '/v1/workspaces',
             '/v1/rooms/room-0/messages', '/v1/auth/nothing', '/elsewhere');

start('rooms on;');
is(statuses(@paths), '200 200 200 404 404 404', 'the whole tree');
like(http_req('GET', '/v1/auth/nothing', $ada)->[2], qr/SW_NOT_FOUND/,
     'ours');
unlike(http_req('GET', '/elsewhere', $ada)->[2], qr/SW_/, 'not ours');

start('rooms off;');
is(statuses(@paths), '404 404 404 404 404 404', 'off');
unlike(http_req('GET', $paths[0], $ada)->[2], qr/SW_/, 'none of it');

for my $conf ('rooms on; rooms_serve directory workspaces;',
              'rooms_serve workspaces directory; rooms on;',
              'rooms on; rooms_serve directory; rooms_serve workspaces;')
{
    start($conf);
    is(statuses(@paths), '404 200 200 404 404 404', $conf);
    unlike(http_req('GET', $paths[0], $ada)->[2], qr/SW_/, 'the rest is not');
}

start('rooms on; rooms_serve messages;');
like(http_req('GET', '/v1/rooms/archived', $ada)->[2], qr/SW_NOT_FOUND/,
     'a part that shares its location');
like(http_req('GET', '/v1/rooms/room-0/messages', $ada)->[2],
     qr/SW_ROOM_NOT_FOUND/, 'with another');

start('location /v1/rooms/ { rooms on; } location = /api { rooms on; }');
is(statuses(@paths), '200 404 404 404 404 404', 'only in a location');
is(http_req('POST', '/v1/rooms', $ada, {})->[0], 404, 'not around it');

# one's own, before and after, with its own settings
for my $order (0, 1) {
    my @conf = ('rooms on; ', 'location = /v1/rooms { rooms on; '
                . 'client_max_body_size 100; add_header X-Mine yes; }');
    my $body = { room_type => 'group', name => 'a', x => 'x' x 100 };

    start(join '', $order ? reverse @conf : @conf);

    my $res = http_req('POST', '/v1/rooms', $ada, $body);

    is($res->[0], 413, 'client_max_body_size of its own');
    delete $body->{x};
    $res = http_req('POST', '/v1/rooms', $ada, $body);
    is($res->[0], 201, 'small enough');
    is($res->[1]{'x-mine'}, 'yes', 'and a header');
    is(http_req('GET', '/v1/directory/rooms', $ada)->[1]{'x-mine'}, undef,
       'not elsewhere');
}

start('rooms on; client_max_body_size 10; '
      . 'location = /v1/rooms { rooms on; client_max_body_size 1m; }');
is(http_req('POST', '/v1/rooms', $ada,
            { room_type => 'group', name => 'a' })->[0], 201,
   'larger than the server\'s');
is(http_req('POST', '/v1/rooms/dm', $ada,
            { participant_id => 'bob' })->[0], 413, 'which stays');

# a location of the same name that is none of ours
for my $conf (
    'rooms on; location /v1/rooms/ { return 200 "mine"; }',
    'location /v1/rooms/ { return 200 "mine"; } rooms on;',
    'rooms on; location /v1/rooms/ { rooms off; return 200 "mine"; }',
    'rooms on; location ^~ /v1/rooms/ { return 200 "mine"; }',
    'rooms on; location = /v1/rooms/archived { return 200 "mine"; }',
    'rooms on; location ~ archived { return 200 "mine"; }',
) {
    start($conf);
    is(http_req('GET', '/v1/rooms/archived', $ada)->[2], 'mine', $conf);
    is(http_req('GET', '/v1/directory/rooms', $ada)->[0], 200,
       'the rest is ours');
}

# nested, and conditions
start('location /v1/ { location /v1/rooms/ { rooms on; } return 418; }');
is(statuses('/v1/rooms/archived', '/v1/x'), '200 418', 'nested');
start('location /v1/ { rooms on; if ($arg_x) { set $y 1; } '
      . 'if ($http_x_no) { return 403; } limit_except GET { deny all; } }');
is(statuses('/v1/rooms/archived?x=1'), '200', 'an "if" that is true');
is(http_req('GET', '/v1/rooms/archived', $ada, undef, 'X-No' => 1)->[0], 403,
   'an "if" that ends it');
is(http_req('POST', '/v1/rooms', $ada, {})->[0], 403, 'limit_except');


# The fallback

for my $conf ('rooms on; rooms_fallback @old;',
              'rooms_fallback @old; rooms on;')
{
    start($conf . 'location @old { return 299 '
          . '"old $request_method $request_uri $http_authorization"; }');

    my $res = http_req('GET', '/v1/rooms/a/b/c/d?x=1', $ada);

    is($res->[0], 299, 'a path that is none of ours');
    is($res->[2], "old GET /v1/rooms/a/b/c/d?x=1 Bearer $ada",
       'goes as it came');
    is(http_req('GET', '/v1/auth/x')->[0], 299, 'without a token, too');
    is(http_req('POST', '/v1/rooms/x/y/z/w', undef, 'x' x 200_000)->[0], 299,
       'with a body');
    is(http_req('GET', '/v1/rooms/archived', $ada)->[0], 200, 'ours stays');
    is(http_req('DELETE', '/v1/rooms', $ada)->[0], 405,
       'a method that is missing is ours to tell');
    is(http_req('GET', '/v1/rooms/room-0', $ada)->[0], 404,
       'and so is a room that is missing');
}

my $backend = free_port();

start('rooms on; rooms_serve directory; rooms_fallback @old;'
      . "location / { proxy_pass http://127.0.0.1:$backend; }"
      . "location \@old { proxy_pass http://127.0.0.1:$backend; }",
      http => "server { listen 127.0.0.1:$backend; "
              . 'location / { return 200 "old $request_uri"; } }');
is(http_req('GET', '/v1/directory/rooms', $ada)->[0], 200,
   'in front of a backend: ours');
is(http_req('GET', '/v1/directory/x%2Fy', $ada)->[2],
   'old /v1/directory/x%2Fy', 'its own');
is(http_req('GET', '/v1/rooms/archived', $ada)->[2],
   'old /v1/rooms/archived', 'what isn\'t served');


# Databases, prefixes, tenants, limits

my $other = free_port();

redis('FLUSHALL');
run_nginx("rooms on; rooms_auth mock; $store rooms_key_prefix pre;",
          http => "server { listen 127.0.0.1:$other; rooms on; "
                  . 'rooms_auth mock; rooms_redis '
                  . "redis://$ENV{TEST_NGINX_REDIS}/1; }");

my $here = server_port_is();

is(http_req('POST', '/v1/auth/register', $ada)->[0], 200, 'one server');
server_port_is($other);
is(http_req('POST', '/v1/auth/register', $bob)->[0], 200, 'another');
is(http_req('POST', '/v1/rooms/dm', $bob, { participant_id => 'ada' })->[0],
   404, 'they don\'t know each other\'s participants');
server_port_is($here);
is(redis('HEXISTS', 'pre:{acme}:participants', 'ada'), 1, 'prefix');
is(join(' ', grep { !/^pre:\{acme\}:/ } @{redis('KEYS', '*')}), '',
   'of all keys');
redis('SELECT', 1);
is(redis('HKEYS', 'sw:{acme}:participants')->[0], 'bob', 'the other database');
redis('SELECT', 0);

redis('FLUSHALL');
start('rooms on; rooms_tenants strict;');

my $res = http_req('GET', '/v1/rooms/archived', $ada);

is($res->[0], 404, 'a tenant that is not registered');
is(json_get($res->[2], 'error.code'), 'SW_TENANT_NOT_FOUND', 'its code');
is(http_req('POST', '/v1/rooms', $ada,
            { room_type => 'group', name => 'a' })->[0], 404, 'not to write');
is_deeply(redis('KEYS', '*'), [], 'nothing was written');
redis('HSET', 'sw:{acme}:tenant', 'registered', '1');
is(http_req('GET', '/v1/rooms/archived', $ada)->[0], 200, 'registered');
is(http_req('GET', '/v1/rooms/archived', 'mock:ada@globex')->[0], 404,
   'another is not');

redis('FLUSHALL');
start('rooms on; rooms_max_participants 3; rooms_max_rooms 2;');
http_req('POST', '/v1/auth/register', "mock:u$_\@acme") for 1 .. 6;
$res = http_req('POST', '/v1/rooms', $ada,
                { room_type => 'public', name => 'a' });

my $room = json_get($res->[2], 'data.id');

sub joins {
    return join ' ', map {
        http_req('POST', "/v1/rooms/$room/join", "mock:u$_\@acme")->[0]
    } @_;
}

is(joins(1, 2, 3), '200 200 409', 'rooms_max_participants');
redis('HSET', 'sw:{acme}:tenant', 'max_participants', 4);
is(joins(3, 4), '200 409', 'the tenant\'s own is larger');
redis('HSET', 'sw:{acme}:tenant', 'max_participants', 1);
is(joins(4), '409', 'or smaller');

sub creates {
    return join ' ', map {
        http_req('POST', '/v1/rooms', $ada,
                 { room_type => 'group', name => "r$_" })->[0]
    } 1 .. shift;
}

is(creates(2), '201 409', 'rooms_max_rooms');
redis('HSET', 'sw:{acme}:tenant', 'max_rooms', 3);
is(creates(2), '201 409', 'the tenant\'s own');

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
