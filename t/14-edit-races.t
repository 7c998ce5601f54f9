# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Edits, redactions and reactions at the same moment: nothing is lost, nothing
# is doubled.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan));

my $room = make(group => 'ann', name => 'Editors');
my $path = "/v1/rooms/$room";
my @crowd = map { "p$_" } 1 .. 20;

admit($room, 'ann', 'bob', 'cy=50', @crowd);

sub say_it {
    return must('POST', "$path/send", 'bob', { content => { body => $_[0] } })
           ->{id};
}

# The event as history shows it.
sub shown {
    my ($id) = @_;
    my ($event) = grep { $_->{id} eq $id } events($room, 'ann');

    return $event;
}

sub reactions {
    my ($id, $who) = @_;

    return call('GET', "$path/events/$id", $who)->{data}{reactions};
}

# Where in the whole store a text is found.
sub stored {
    my ($text) = @_;
    my @found;

    for my $key (@{redis('KEYS', '*')}) {
        my $type = redis('TYPE', $key);
        my $value = $type eq 'zset' ? redis('ZRANGE', $key, 0, -1)
                    : $type eq 'hash' ? redis('HGETALL', $key)
                    : [redis('GET', $key)];

        push @found, $key if grep { index($_, $text) >= 0 } @$value;
    }

    return @found;
}

# The store hangs until all have asked, so that all decide on the same.
sub race {
    redis_pause();

    my $child = fork() // die "fork: $!";

    if ($child == 0) {
        select undef, undef, undef, 0.3;
        redis_resume();
        POSIX::_exit(0);
    }

    my @res = many(32, @_);

    waitpid $child, 0;
    redis_resume();

    return @res;
}

# Reactions of many are counted exactly.
my $id = say_it('liked');
my $e = "$path/events/$id";

many(20, map { ['POST', "$e/reaction", $_, { emoji => 'm' }] } @crowd);
is_deeply(reactions($id, 'p1'), [{ emoji => 'm', count => 20, me => true }],
          'twenty at once');

my @back = many(19, map { ['DELETE', "$e/reaction", $_, { emoji => 'm' }] }
                        @crowd[0 .. 18]);

is(scalar(grep { $_->{status} == 200 } @back), 19, 'nineteen take them back');
is_deeply(reactions($id, 'p20'), [{ emoji => 'm', count => 1, me => true }],
          'one is left');
must('DELETE', "$e/reaction", 'p20', { emoji => 'm' });
is(redis('HEXISTS', key("r:$room:counts"), "$id m"), 0, 'and none');

# Edits: an event for each that was made.
$id = say_it('v0');
$e = "$path/events/$id";

my $count = events($room, 'ann');
my @res = race(map { ['POST', "$e/edit", 'bob',
                      { content => { body => "v$_" } }] } 1 .. 16);
my @done = grep { $_->{status} == 200 } @res;

cmp_ok(scalar @done, '>', 0, 'edits at once');
is((scalar grep { $_->{status} != 200 && $_->{code} ne 'SW_CONFLICT' } @res),
   0, 'or a conflict');
is(scalar events($room, 'ann'), $count + @done, 'an event for each');
is((scalar grep { $_->{id} eq $id } events($room, 'ann')), 1,
   'one message');
is(newest($room, 'ann')->{content}{content}{body},
   shown($id)->{content}{body}, 'as the last edit made it');
is((scalar grep { /^evt-/ } split ' ',
    redis('HGET', key("r:$room:copies"), $id)), scalar @done,
   'all edits known');

# One reaction, sixteen times.
$count = events($room, 'ann');
@res = race(map { ['POST', "$e/reaction", 'bob', { emoji => '+' }] }
                1 .. 16);
is((scalar grep { $_->{status} == 200 } @res), 16, 'one reaction, 16 times');
is(scalar events($room, 'ann'), $count + 1, 'is one event');

# Redactions among edits leave no body.
@res = race(map { ['POST', "$e/redact", $_ % 2 ? 'bob' : 'ann'],
                  ['POST', "$e/edit", 'bob',
                   { content => { body => 'a leak' } }] } 1 .. 8);
is((scalar grep { $_->{data} && $_->{data}{redacted_at} } @res) > 0, 1,
   'redactions among edits');
is_deeply([stored('a leak')], [], 'leave no body');
is((scalar grep { $_->{event_type} eq 'swp.room.redaction'
                  && $_->{content}{event_id} eq $id } events($room, 'ann')),
   1, 'and happen once');
verify_room($room);

# the store is away
redis_stop();
expect('503 SW_STORE_UNAVAILABLE', 'POST', "$e/edit", 'bob',
       { content => {} });

done_testing();
