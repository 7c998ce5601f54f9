# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Files that directives name, of keys, secrets and tokens: which are refused,
# and what NGINX says of them.

use strict;
use warnings;

use File::Temp ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(write_file);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-conf-XXXXXXXX', TMPDIR => 1);

$ENV{TEST_NGINX_DIR} = "$dir";
save(dir => "$dir");

sub put { write_file("$dir/$_[0]", $_[1]) }

# tokens of identity providers
put('tokens', "# of one\r\n\n \t" . 'a' x 16 . "\r\n" . 'b' x 64);
put('notes', '# ' . 'a' x 20 . "\n\n");
put('short', 'a' x 16 . "\n" . 'b' x 15 . "\n");
put('spaced', 'a' x 16 . ' ' . 'b' x 16 . "\n");
put('foreign', "a\xc3\xa9" . 'b' x 16 . "\n");
put('large', 'a' x 16 . "\n" x (8193 - 16));
put('full', 'a' x 16 . "\n" x (8192 - 16));
put('void', '');

# keys and secrets
put('junk', "{\"keys\": [\n {\"kty\": \"RSA\"\n");
put('empty', '');
put('weak', "short\n");
put('nokey', '{"keys": []}');
put('enc', '{"keys": [{"kty": "oct", "use": "enc", "k": "' . 'A' x 43 . '"}]}');
put('mixed', '{"keys": [{"kty": "oct", "use": "enc"}, {"kty": "oct", "k": "'
             . 'A' x 43 . '"}]}');
put('rsa', '{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}');

no_root_location();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: rooms_scim_token_file: a file that is not there
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock; rooms_tenant t;
rooms_scim_token_file $TEST_NGINX_DIR/none;
--- must_die
--- error_log
rooms_scim_token_file: "{{dir}}/none" can't be opened in 
html/rooms.conf:2



=== TEST 2: rooms_scim_token_file: a folder
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock; rooms_tenant t;
rooms_scim_token_file $TEST_NGINX_DIR/.;
--- must_die
--- error_log
rooms_scim_token_file: "{{dir}}/." can't be read in 
html/rooms.conf:2



=== TEST 3: rooms_scim_token_file: an empty file
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock; rooms_tenant t;
rooms_scim_token_file $TEST_NGINX_DIR/void;
--- must_die
--- error_log
rooms_scim_token_file: "{{dir}}/void" has no token in 
html/rooms.conf:2



=== TEST 4: rooms_scim_token_file: comments alone
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock; rooms_tenant t;
rooms_scim_token_file $TEST_NGINX_DIR/notes;
--- must_die
--- error_log
rooms_scim_token_file: "{{dir}}/notes" has no token in 
html/rooms.conf:2



=== TEST 5: rooms_scim_token_file: a token that is short
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock; rooms_tenant t;
rooms_scim_token_file $TEST_NGINX_DIR/short;
--- must_die
--- error_log
rooms_scim_token_file: "{{dir}}/short" has a token of less than 16 characters in 
html/rooms.conf:2



=== TEST 6: rooms_scim_token_file: a token with a space
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock; rooms_tenant t;
rooms_scim_token_file $TEST_NGINX_DIR/spaced;
--- must_die
--- error_log
rooms_scim_token_file: "{{dir}}/spaced" has a token that isn't visible ASCII in 
html/rooms.conf:2



=== TEST 7: rooms_scim_token_file: a token that is no ASCII
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock; rooms_tenant t;
rooms_scim_token_file $TEST_NGINX_DIR/foreign;
--- must_die
--- error_log
rooms_scim_token_file: "{{dir}}/foreign" has a token that isn't visible ASCII in 
html/rooms.conf:2



=== TEST 8: rooms_scim_token_file: a file that is large
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on; rooms_auth mock; rooms_tenant t;
rooms_scim_token_file $TEST_NGINX_DIR/large;
--- must_die
--- error_log
rooms_scim_token_file: "{{dir}}/large" is larger than 8192 bytes in 
html/rooms.conf:2



=== TEST 9: rooms_scim_token_file needs rooms_tenant
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
rooms_scim_token_file $TEST_NGINX_DIR/tokens;
rooms on;
--- must_die
--- error_log
rooms_scim_token_file needs rooms_tenant,
html/rooms.conf:2



=== TEST 10: ... in a location, too
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /scim/ {
rooms_scim_token_file $TEST_NGINX_DIR/tokens; rooms on; }
--- must_die
--- error_log
rooms_scim_token_file needs rooms_tenant,
html/rooms.conf:3



=== TEST 11: ... and is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_tenant t; rooms_scim_token_file $TEST_NGINX_DIR/tokens;
rooms_scim_token_file $TEST_NGINX_DIR/tokens;
--- must_die
--- error_log
"rooms_scim_token_file" directive is duplicate
html/rooms.conf:2



=== TEST 12: rooms_auth_jwks_file: a file that is not there
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_jwks_file $TEST_NGINX_DIR/none;
--- must_die
--- error_log
{{dir}}/none
No such file
"rooms_auth_jwks_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 13: rooms_auth_jwks_file: no JSON, and where
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_jwks_file $TEST_NGINX_DIR/junk;
--- must_die
--- error_log
{{dir}}/junk
not JSON in line
"rooms_auth_jwks_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 14: rooms_auth_jwks_file: nothing
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_jwks_file $TEST_NGINX_DIR/empty;
--- must_die
--- error_log
{{dir}}/empty
not JSON
"rooms_auth_jwks_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 15: rooms_auth_jwks_file: a key that is short
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_jwks_file $TEST_NGINX_DIR/rsa;
--- must_die
--- error_log
{{dir}}/rsa
keys[0]: RSA key is shorter
"rooms_auth_jwks_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 16: rooms_auth_jwks_file: no key
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_jwks_file $TEST_NGINX_DIR/nokey;
--- must_die
--- error_log
{{dir}}/nokey
"keys" is empty
"rooms_auth_jwks_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 17: rooms_auth_jwks_file: no key that signs
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_jwks_file $TEST_NGINX_DIR/enc;
--- must_die
--- error_log
{{dir}}/enc
keys[0]: "use" is not "sig"
"rooms_auth_jwks_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 18: rooms_auth_jwks_file: a folder
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_jwks_file $TEST_NGINX_DIR/.;
--- must_die
--- error_log
{{dir}}/.
is not a regular file
"rooms_auth_jwks_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 19: rooms_auth_secret_file: a file that is not there
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_secret_file $TEST_NGINX_DIR/none;
--- must_die
--- error_log
{{dir}}/none
No such file
"rooms_auth_secret_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 20: rooms_auth_secret_file: nothing
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_secret_file $TEST_NGINX_DIR/empty;
--- must_die
--- error_log
{{dir}}/empty
shorter than 16
"rooms_auth_secret_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 21: rooms_auth_secret_file: a secret that is short
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_secret_file $TEST_NGINX_DIR/weak;
--- must_die
--- error_log
{{dir}}/weak
shorter than 16
"rooms_auth_secret_file" directive names a file without usable keys in
html/rooms.conf:2



=== TEST 22: ... tokens of identity providers: one a line, notes, a full file, a path from the folder of the configuration
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms on; rooms_auth mock; rooms_tenant t;
        rooms_scim_token_file $TEST_NGINX_DIR/tokens;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms on; rooms_auth mock; rooms_tenant t;
        rooms_scim_token_file $TEST_NGINX_DIR/full;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s3;
        rooms_auth mock; rooms_tenant t;
        rooms_scim_token_file ../html/tokens;
        location /scim/ { rooms on; }
    }
--- config
        
--- user_files
>>> tokens
aaaaaaaaaaaaaaaa
--- request
GET /



=== TEST 23: keys that can't be used beside some that can: one warning, which says of which key
--- config
        include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- request
GET /
--- user_files
>>> rooms.conf
rooms on;
rooms_auth_jwks_file $TEST_NGINX_DIR/mixed;
--- grep_error_log eval: qr/\[warn\].*are skipped.*/
--- grep_error_log_out eval
qr{^\[warn\].*mixed" are skipped: keys\[0\]: "use" is not "sig" in \S+/rooms\.conf:2\n\z}
