# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# How the store is reached: users, passwords, databases, a socket.  Its bad
# days are in t/34-outage.t.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

redis('ACL', 'SETUSER', 'rooms', 'on', '>p@ss:w/rd', '~sw:*', '+@all');
redis('ACL', 'SETUSER', 'other', 'on', '>secret', '~other:*', '+@all');
redis('ACL', 'SETUSER', 'default', 'resetpass', '>wonder land');

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(request => 'POST /v1/auth/register');
    $block->set_value(more_headers => scalar as('ada'));
    $block->set_value(no_error_log => "wonder\np\@ss\np%40\nsecret\n:wrong")
        if !defined $block->error_log;
    $block->set_value(json => 'error.code = SW_STORE_UNAVAILABLE')
        if ($block->error_code // '') == 503;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a user of the store, whose password is escaped, and a database
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://rooms:p%40ss%3Aw%2Frd@$TEST_NGINX_REDIS/3;
--- store
SELECT 3 = OK
HEXISTS sw:{acme}:participants ada = 1
SELECT 0 = OK



=== TEST 2: a password, and another database
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://:wonder%20land@$TEST_NGINX_REDIS/4;
--- store
SELECT 4 = OK
HEXISTS sw:{acme}:participants ada = 1
SELECT 0 = OK



=== TEST 3: a wrong password
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://rooms:wrong@$TEST_NGINX_REDIS/3;
--- error_code: 503



=== TEST 4: no password
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
--- error_code: 503



=== TEST 5: a database that there isn't
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://:wonder%20land@$TEST_NGINX_REDIS/9999;
--- error_code: 503



=== TEST 6: a user who may not use our keys
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis://other:secret@$TEST_NGINX_REDIS/0;
--- error_code: 503
--- store
DBSIZE = 0
ACL SETUSER default nopass = OK



=== TEST 7: a socket
--- config
        rooms on;
        rooms_auth mock;
        rooms_redis redis+unix://$TEST_NGINX_REDIS_SOCK?db=5;
--- store
SELECT 5 = OK
HEXISTS sw:{acme}:participants ada = 1
SELECT 0 = OK
