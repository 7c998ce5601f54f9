# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# One Idempotency-Key in many requests at the same moment.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy));

my $room = make(group => 'ann', name => 'First');
my $n = 0;

for my $case (['/v1/rooms', { room_type => 'group', name => 'Idem' }],
              ["/v1/rooms/$room/send", { content => { n => 1 } }],
              ['/v1/workspaces', { name => 'Idem' }],
              ['/v1/rooms/dm', { participant_id => 'cy' }])
{
    my ($path, $body) = @$case;
    my @key = ('Idempotency-Key' => 'race-' . ++$n);
    my $events = event_count();

    # one is made; the others wait or are told
    my @race = many(12, map { ['POST', $path, 'ann', $body, @key] } 1 .. 12);
    my %ids = map { $_->{data}{id} => 1 }
              grep { $_->{status} == 201 } @race;
    my @bad = grep { $_->{status} != 201 && $_->{code} ne 'SW_CONFLICT' }
              @race;

    is(scalar keys %ids, 1, "$path: one is made");
    is(scalar @bad, 0, 'and the others replayed or in conflict');
    cmp_ok(event_count() - $events, '<=', 1, 'one event at most');
    is(must('POST', $path, 'ann', $body, @key)->{id}, (keys %ids)[0],
       'replayed afterwards');
}

stop_nginx();

done_testing();
