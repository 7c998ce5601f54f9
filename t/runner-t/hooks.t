# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Hooks, several workers, variables of the environment, and no plan.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';

our (@seen, @bodies, @cleaned);

$ENV{TEST_NGINX_SOME} = 'some value';

no_shuffle();
workers(2);
master_on();
worker_connections(128);
no_root_location();
no_long_string();
env_to_nginx('SOME_VAR', 'OTHER=1');
check_accum_error_log();

add_block_preprocessor(sub {
    my $block = shift;

    push @seen, 'first ' . $block->name;
    $block->set_value(http_config => 'map $host $m { default added; }')
        if !defined $block->http_config;
});

add_block_preprocessor(sub { push @seen, 'second' });

add_response_body_check(sub {
    my ($block, $body, $i, $repeat, $dry_run) = @_;

    push @bodies, "$body $i $repeat";
    is($dry_run, 0, 'no dry run');
});

add_cleanup_handler(sub { push @cleaned, 1 });

run_tests();

is($seen[0], 'second', 'the last preprocessor is the first to run');
is($seen[1], 'first TEST 1: variables', 'and they get the block');
is(scalar @seen, 2 * blocks(), 'once for each');
is($bodies[0], 'added some value 0 0', 'body check');
is($bodies[3], 'a 1 0', 'body check of a second request');
is(scalar @cleaned, 1, 'cleanup handler');
like(server_port(), qr/^\d+$/, 'server_port');
is(server_port_for_client(), server_port(), 'server_port_for_client');
is(html_dir(), server_root() . '/html', 'html_dir');
is($Test::Nginx::Util::ServerPort, server_port(), '$ServerPort');
cmp_ok($Test::Nginx::Util::NginxVersion, '>', 1, '$NginxVersion');
is_str('a', qr/^a$/, 'is_str');
is(scalar(blocks()), 4, 'blocks');

__DATA__

=== TEST 1: variables
--- config
location = /t { return 200 "$m $TEST_NGINX_SOME"; }
--- request
GET /t
--- response_body: added $TEST_NGINX_SOME



=== TEST 2: two requests, an accumulated log
--- config
location = /a { return 200 a; }
location = /b { root html; error_page 404 = /c; }
location = /c { return 200 b; }
--- request eval
["GET /b", "GET /a"]
--- response_body eval
["b", "a"]
--- error_log
/b" failed
--- init
@main::bodies = @main::bodies[0, 0];



=== TEST 3: no root location
--- config
--- request
GET /index2.html
--- error_code: 404



=== TEST 4: a random port
--- http_config
server { listen $TEST_NGINX_RAND_PORT_1; return 200 "other $server_port"; }
--- config
location = /t { proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- request
GET /t
--- response_body_like: ^other \d+$
