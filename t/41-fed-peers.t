# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What another server may ask of us, and what a stranger may try.  Servers that
# don't answer, and names that have to be resolved, are in
# t/41-fed-peers-faults.t.

use strict;
use warnings;

use File::Temp ();
use MIME::Base64 qw(encode_base64);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(write_file);
use RoomsTest::Stranger;
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);

write_file("$dir/a.key", encode_base64('a' x 32, ''));
chmod 0640, "$dir/a.key";
$ENV{TEST_NGINX_DIR} = "$dir";

# We are a.example; b.example and c.example sign to us, the latter later with
# another key.
my ($b, $c, $next) =
    map { RoomsTest::Stranger->new("$_->[0].example", $_->[1] x 32,
                                   'a.example') }
        ['b', 'b'], ['c', 'c'], ['c', 'd'];

my $now = time;
my $ann = '/_scaiwave/federation/v1/profile/ann';

save(then => $now - 70, descriptor_of_c => $c->signer->descriptor,
     next_descriptor_of_c => $next->signer->descriptor,
     public_of_c => $c->signer->public_key);

# Who asks in "--- calls": a server, or somebody who signs something else than
# what is sent.
signs(
    'b.example'            => $b->signer_of_calls,
    'c.example'            => $c->signer_of_calls,
    'c.example/next-key'   => $next->signer_of_calls,

    'c-as-b/with-id-of-b'  => $c->signer_of_calls(name => 'b.example',
                                            key_id => $b->signer->key_id),
    'c-as-b'               => $c->signer_of_calls(name => 'b.example'),
    'b-as-us'              => $b->signer_of_calls(name => 'a.example'),
    'b/for-another-path'   => $b->signer_of_calls(target => $ann),
    'b/for-another-method' => $b->signer_of_calls(method => 'GET'),
    'b/for-another-server' => $b->signer_of_calls(authority => 'c.example'),
    'b/70s-ago'            => $b->signer_of_calls(created => $now - 70),
    'b/30s-ago'            => $b->signer_of_calls(created =>
                                                  sub { time - 30 }),
    'b/in-70s'             => $b->signer_of_calls(created =>
                                                  sub { time + 70 }),
    'b/digest-of-another'  => $b->signer_of_calls(body => 'x'),
    'b/no-digest'          => $b->signer_of_calls(digest => 'sha-256'),

    # names, for whoever is asked who they are
    map { $_ => $c->signer_of_calls(name => $_) }
        qw(redirects.example lies.example v2.example text.example good.example
           long.example badkey.example 127.0.0.1:1
           127.0.0.1 localhost:8448 a.local 10.0.0.1 169.254.169.254 [::1]
           [::ffff:10.0.0.1] nobody.example)
);

our $without_private = <<'END';
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant t1;
        rooms_federation on;
        rooms_federation_key $TEST_NGINX_DIR/a.key;
        location = /_rooms_peer {
            internal;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT$rooms_peer_uri;
            proxy_set_header Host $rooms_peer;
        }
        location = /asked {
            rooms off;
            alias $TEST_NGINX_SERVER_ROOT/logs/asked.log;
        }
END

default_config("$without_private        rooms_federation_allow_private on;\n");

# b.example, which notes in "/asked" what it is asked for, and others.
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => <<'END'
    log_format asked '$host $request_method $request_uri';
END
        . $b->virtual('access_log $TEST_NGINX_SERVER_ROOT/logs/asked.log asked;')
        . ($block->http_config // ''));
});

# Somebody of that server is in a room with ann.
sub meets_ann {
    my ($server) = @_;

    redis('ZADD', "sw:{t1}:$_:rooms", 1, 'room-00000000000000000000000000')
        for 'p:ann', "peers:$server";
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: nobody unsigned gets anything, nor does a token help, nor a signature without a policy
--- calls
ann@t1 POST /v1/auth/register -> 200
- GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH
root@t1! GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH
b.example GET /_scaiwave/federation/v1/profile/ann -> 403 SW_FED_POLICY



=== TEST 2: ... and nothing is asked of a server that is not on the policy
--- request
GET /asked
--- response_body



=== TEST 3: a server that shares no room hears nothing of a participant, not even that there is one
--- calls
root@t1! PUT /v1/admin/federation/policy {"allowed_peers": ["b.example"]} -> 200
b.example GET /_scaiwave/federation/v1/profile/<ann|nobody> -> 404 SW_PARTICIPANT_NOT_FOUND
    error.message = there is no such participant



=== TEST 4: one that shares a room is told a profile
--- init
main::meets_ann('b.example');
--- calls
b.example GET /_scaiwave/federation/v1/profile/ann -> 200
    data = {"local_id":"ann","server_name":"a.example","fqid":"@ann:a.example","display_name":"ann","participant_type":"human","avatar_url":null}
b.example GET /_scaiwave/federation/v1/profile/nobody -> 404 SW_PARTICIPANT_NOT_FOUND



=== TEST 5: the target is signed as it is sent
--- calls
b.example GET /_scaiwave/federation/v1/profile/%61nn?x=%2F -> 200



=== TEST 6: its key was fetched once for all of that, and is kept
--- request
GET /asked
--- response_body
b.example GET /.well-known/scaiwave/server



=== TEST 7: another version of the protocol; what is no path of ours is none
--- calls
b.example GET /_scaiwave/federation/<v2/send|v2/profile/ann|v10/send|v2> -> 400 SW_FED_PROTOCOL_VERSION
b.example GET /_scaiwave/federation/v1/nothing -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 8: who uses another's name
--- calls
c-as-b/with-id-of-b,c-as-b GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH
b-as-us GET /_scaiwave/federation/v1/profile/ann -> 403 SW_FED_PEER_UNKNOWN



=== TEST 9: a signature that is not of this request
--- calls
b/for-another-path GET /_scaiwave/federation/v1/profile/ann -> 200
b/for-another-path GET /_scaiwave/federation/v1/profile/<bob|ann?x|%61nn> -> 401 SW_FED_SIGNATURE_MISMATCH
b/for-another-method HEAD /_scaiwave/federation/v1/profile/ann -> 401
b/for-another-server GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH
b/digest-of-another,b/no-digest GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH



=== TEST 10: a clock that is off is told both times; half a minute is within the window
--- calls
b/70s-ago,b/in-70s GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH
b/70s-ago GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH
    error.details[0].problem ~ created at {{then}}, and here it is \d+
b/30s-ago GET /_scaiwave/federation/v1/profile/ann -> 200



=== TEST 11: the administrator sees one peer, and when it was seen last
--- calls
root@t1! GET /v1/admin/federation/peers -> 200
    data # 1
    data[0].server_name = b.example
    data[0].allowed = true
    data[0].last_seen ~ ^\d{4}-.*Z$
--- store
EVAL "return redis.call('HGET', KEYS[1], ARGV[1]) > (redis.call('TIME')[1] - 60) * 1000 .. ''" 1 sw:{t1}:peers b.example = 1



=== TEST 12: a key that changes: an open policy lets all in with the key that they have
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name c.example;
        location = /.well-known/scaiwave/server { alias $TEST_NGINX_SERVER_ROOT/html/c; }
    }
--- init
main::meets_ann('c.example');
--- user_files eval
">>> c\n" . RoomsTest::saved('descriptor_of_c')
--- calls
root@t1! PUT /v1/admin/federation/policy {"default_mode": "open"} -> 200
c.example GET /_scaiwave/federation/v1/profile/ann -> 200
c.example/next-key GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH



=== TEST 13: ... an unknown key makes us ask again, and the old one is over
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name c.example;
        location = /.well-known/scaiwave/server { alias $TEST_NGINX_SERVER_ROOT/html/c; }
    }
--- user_files eval
">>> c\n" . RoomsTest::saved('next_descriptor_of_c')
--- calls
c.example/next-key GET /_scaiwave/federation/v1/profile/ann -> 200
c.example GET /_scaiwave/federation/v1/profile/ann -> 401 SW_FED_SIGNATURE_MISMATCH



=== TEST 14: servers that don't answer as they should
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name redirects.example;
        return 302 http://c.example/.well-known/scaiwave/server;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name lies.example;
        return 200 '{"server_name": "c.example", "public_key": "{{public_of_c}}", "protocol_versions": ["v1"]}';
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name v2.example;
        return 200 '{"server_name": "v2.example", "public_key": "{{public_of_c}}", "protocol_versions": ["v2"]}';
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name text.example;
        return 200 'hello';
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name long.example;
        location = /.well-known/scaiwave/server { alias $TEST_NGINX_SERVER_ROOT/html/long; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name badkey.example;
        return 200 '{"server_name": "badkey.example", "public_key": "ed25519:AA==", "protocol_versions": ["v1"]}';
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name good.example;
        return 200 '{"server_name": "good.example", "public_key": "{{public_of_c}}", "protocol_versions": ["v1"]}';
    }
--- user_files eval
">>> long\n" . 'x' x 30_000
--- calls
root@t1! PUT /v1/admin/federation/policy {"default_mode": "open", "allowed_peers": ["text.example"]} -> 200
redirects.example,text.example,long.example,badkey.example GET /_scaiwave/federation/v1/profile/ann -> 502 SW_FED_PEER_UNREACHABLE
lies.example GET /_scaiwave/federation/v1/profile/ann -> 403 SW_FED_PEER_UNKNOWN
v2.example GET /_scaiwave/federation/v1/profile/ann -> 400 SW_FED_PROTOCOL_VERSION
good.example GET /_scaiwave/federation/v1/profile/ann -> 404 SW_PARTICIPANT_NOT_FOUND



=== TEST 15: one that isn't there
--- config eval
$main::without_private =~ s/127.*PORT/\$rooms_peer/r . 'rooms_federation_allow_private on;'
--- calls
127.0.0.1:1 GET /_scaiwave/federation/v1/profile/ann -> 502 SW_FED_PEER_UNREACHABLE
--- error_log
no descriptor of "127.0.0.1:1": no answer



=== TEST 16: the administrator sees what was wrong, in words, of servers that are known
--- calls
root@t1! GET /v1/admin/federation/peers -> 200
    data[server_name=text.example].last_error.code = SW_FED_PEER_UNREACHABLE
    data[server_name=text.example].last_error.message ~ not a JSON
    data[server_name=text.example].last_seen null
    data[server_name=redirects.example] !



=== TEST 17: who asks again and again does not make us do so
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name redirects.example;
        access_log $TEST_NGINX_SERVER_ROOT/logs/asked.log asked;
        return 302 http://c.example/.well-known/scaiwave/server;
    }
--- calls
redirects.example GET /_scaiwave/federation/v1/profile/ann -> 502 SW_FED_PEER_UNREACHABLE x20



=== TEST 18: ... but a few times
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name redirects.example;
        access_log $TEST_NGINX_SERVER_ROOT/logs/asked.log asked;
        return 302 http://c.example/.well-known/scaiwave/server;
    }
--- request
GET /asked
--- response_body_like chomp
\A(redirects\.example GET /\.well-known/scaiwave/server\n){1,9}\z



=== TEST 19: private addresses are not dialled
--- config eval: $main::without_private
--- calls
root@t1! PUT /v1/admin/federation/policy {"default_mode": "open"} -> 200
127.0.0.1,localhost:8448,a.local,10.0.0.1,169.254.169.254,[::1],[::ffff:10.0.0.1] GET /_scaiwave/federation/v1/profile/ann -> 403 SW_FED_POLICY



=== TEST 20: ... no request has left
--- config eval: $main::without_private
--- request
GET /asked
--- response_body



=== TEST 21: a name is not dialled without a resolver
--- config eval: $main::without_private
--- calls
b.example GET /_scaiwave/federation/v1/profile/ann -> 502 SW_FED_PEER_UNREACHABLE
--- error_log
no descriptor of "b.example": the server has no "resolver"



=== TEST 22: ... no request has left then, either
--- config eval: $main::without_private
--- request
GET /asked
--- response_body
