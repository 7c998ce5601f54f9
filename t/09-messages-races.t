# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST send with one event_uuid from many at once

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob));

my $room = make(group => 'ann');
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob');

# the same uuid many times at once is one event
my $at = event_count();

my %ids = map { $_->{data}{id} => 1 }
          many(16, map { ['POST', "$path/send", 'bob',
                          { content => { n => $_ }, event_uuid => 'race' }] }
                       1 .. 16);

is(scalar keys %ids, 1, 'one event');
is(event_count(), $at + 1, 'appended once');

stop_nginx();

done_testing();
