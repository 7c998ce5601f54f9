# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms from many at once, and a body that is only announced.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
tenant('aliases');
known('ann');

# as many of one name as there may be
redis('EVAL', "for i = 2, 9000 do"
              . " redis.call('HSET', KEYS[1], 'crowd-' .. i, 'x') end"
              . " redis.call('HSET', KEYS[1], 'crowd', 'x')", 1,
      key('aliases'));

my @crowd = many(8, map { ['POST', '/v1/rooms', 'ann',
                           { room_type => 'group', name => 'Crowd' }] }
                        1 .. 30);

is_deeply([grep { $_->{status} != 201 } @crowd], [],
          'thousands of one name are no reason to refuse');
is(scalar(grep { ($_->{data}{room_alias} // '')
                 =~ /^#crowd-(?:9[0-9]{3}|[0-9]{5,}):/ } @crowd), 30,
   'and each has a number that was free');

# a body that is too long is refused before it has come
expect('413 SW_PAYLOAD_TOO_LARGE', 'POST', '/v1/rooms', 'ann', undef,
       'Content-Length' => 131073);

stop_nginx();

done_testing();
