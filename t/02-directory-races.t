# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The directory reads the ids of rooms and then their rows: whoever is removed
# from one in between doesn't see it.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Relay;

my $port = relay();

run_nginx(<<"END");
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://127.0.0.1:$port/0;
END

known(qw(ann bob));

my $room = make(group => 'ann', name => 'Left');
my $kept = make(group => 'ann', name => 'Kept');

admit($_, 'ann', 'bob') for $room, $kept;

# what a removal leaves in the store
my $probe = make(group => 'ann', name => 'Probe');

admit($probe, 'ann', 'bob');
must('POST', "/v1/rooms/$probe/kick", 'ann', { participant_id => 'bob' });
is(redis('HGET', key("r:$probe:members"), 'bob'), undef,
   'who was removed has no row');

my $row = redis('HGET', key("r:$room:members"), 'bob');

for my $list ('/v1/directory/rooms', '/v1/directory/rooms?search=e') {
    redis('HSET', key("r:$room:members"), 'bob', $row);
    is_deeply([sort(ids(pages($list, 'bob', 'cursor', 200)))],
              [sort $room, $kept], "$list has both");
    rule(qr/^H\w+ \S+:r:$room(?: |$)/, 'first HDEL '
         . key("r:$room:members") . ' bob', 1);
    is_deeply([ids(pages($list, 'bob', 'cursor', 200))],
              [$kept], 'and not the one that bob is removed from in between');
    is(met(), 1, 'it was in between');
    norule();
}

stop_relay();
stop_nginx();

done_testing();
