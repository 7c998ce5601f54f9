# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A worker keeps the lists of rooms of those who sync.  A kept list is never
# used when it isn't the store's any more, whatever has happened to the store,
# and lists take no more memory than they may.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

my $n = 40;                  # shorter lists aren't kept

start('');
redis('CONFIG', 'SET', 'slowlog-log-slower-than', 0);
known(qw(ann bob cy));

my @rooms = map { make(group => 'ann', name => "Room $_") } 1 .. $n;

sub now_at { return redis('GET', key('position')) }

# Whether the list was read for a page, and the page.
sub page {
    my ($who, $since, $timeout) = @_;

    redis('SLOWLOG', 'RESET');

    my $page = must('GET', "/v1/sync?since=$since&timeout=$timeout", $who);
    my $read = grep { $_->[3][0] eq 'ZRANGE'
                      && $_->[3][1] eq key("p:$who:rooms") }
               @{redis('SLOWLOG', 'GET', 128)};

    return ($read, $page);
}

sub says {
    my ($room, $who) = @_;

    return must('POST', "/v1/rooms/$room/send", $who,
                { content => { body => 'x' } })->{id};
}

# The events that somebody who followed until then sees.
sub sees {
    my ($who, $since) = @_;
    my ($read, $page) = page($who, $since, 0);

    return ids(@{$page->{events}});
}

# Reads once, then no more.

is((page('ann', now_at(), 0))[0], 0, 'no list if nothing is new, at once');
is((page('ann', now_at(), 20))[0], 1, 'a list to listen');
is((page('ann', now_at(), 20))[0], 0, 'not again') for 1 .. 3;

my $here = now_at();
my @said = says($rooms[3], 'ann');

is((page('ann', $here, 0))[0], 0, 'nor if there is something');
is_deeply([sees('ann', $here)], \@said, 'which is seen');

# What changes the list is noticed with the next page.

my $other = make(group => 'bob', name => 'Other');

admit($other, 'bob', 'ann');
$here = now_at();
@said = says($other, 'bob');
is_deeply([sees('ann', $here)], \@said, 'a new room');

must('POST', "/v1/rooms/$other/kick", 'bob', { participant_id => 'ann' });
$here = now_at();
says($other, 'bob');
is_deeply([sees('ann', $here)], [], 'nothing of it, once removed');
is((page('ann', now_at(), 20))[0], 0, 'its list was kept since');

# An emptied room that somebody else opens again is no longer one's own.

my $open = make(public => 'ann', name => 'Open');

must('POST', "/v1/rooms/$open/leave", 'ann', {});
page('ann', now_at(), 20);
is((page('ann', now_at(), 20))[0], 0, 'kept with the emptied room');
must('POST', "/v1/rooms/$open/rejoin", 'root!', {});
is((page('ann', now_at(), 20))[0], 1, 'read again without it');
ok(!defined redis('ZSCORE', key('p:ann:rooms'), $open), 'it is gone');

# A program that writes rooms without a position.

my $twin = make(group => 'bob', name => 'Twin');

make(group => 'ann', name => 'So that the version is known');
page('ann', now_at(), 20);
$here = now_at();
redis('HSET', key("r:$twin:members"), 'ann', 'join 0 0 0');
redis('ZADD', key('p:ann:rooms'), 0, $twin);
@said = says($twin, 'bob');
is_deeply([sees('ann', $here)], \@said, 'a room that a program has added');

# A store that has lost its last writes, and made others since.

{
    my @keys = map { key($_) } 'p:ann:rooms', 'p:ann:news', 'p:ann:kinds';
    my ($lost, $found) = map { make(group => 'bob', name => "New $_") } 1, 2;

    redis('ZREM', key('p:ann:rooms'), $twin);
    redis('HDEL', key("r:$twin:members"), 'ann');
    redis('COPY', $_, "$_:was") for @keys;
    admit($lost, 'bob', 'ann');
    page('ann', now_at(), 20);
    is((page('ann', now_at(), 20))[0], 0, 'kept');

    redis('COPY', "$_:was", $_, 'REPLACE') for @keys;
    redis('HDEL', key("r:$lost:$_"), 'ann') for 'members';
    redis('ZREM', key("r:$lost:$_"), 'ann') for 'list', 'order';
    admit($found, 'bob', 'ann');

    $here = now_at();
    says($lost, 'bob');
    @said = says($found, 'bob');
    is_deeply([sees('ann', $here)], \@said,
              'the room of a join after the loss, as many as before');
    redis('DEL', map { "$_:was" } @keys);
}

# Lists take a bounded part of the memory.

{
    my $m = 15_000;

    for my $it (['huge', 'giant', 3 * $m], map { ['huge', "h$_", $m] } 1 .. 14)
    {
        my ($name, $who, $many) = @$it;

        tenant($name);
        known($who);
        make(group => $who, name => 'Own');

        while ($many > 0) {
            redis('ZADD', key("p:$who:rooms"),
                  map { (0, sprintf 'room-%026d', $many - $_) } 0 .. 999);
            $many -= 1000;
        }

        is((page($who, now_at(), 20))[0], 1, "$who reads its list");
        page($who, now_at(), 20);
    }

    is((page('giant', now_at(), 20))[0], 1, 'what is too long is not kept');
    is((page('h14', now_at(), 20))[0], 0, 'the last one is');
    is((page('h1', now_at(), 20))[0], 1, 'the first one had to go');

    tenant('acme');
    is((page('ann', now_at(), 20))[0], 0, 'but none of another tenant');
}

# Those who have waited for news of their rooms have more of it: what the
# worker needs to find them.  Rooms that several are in take less.

for my $it (['apart', 0, 1], ['together', 1, 0]) {
    my ($name, $same, $read) = @$it;
    my $m = 5_000;

    tenant($name);

    for my $n (1 .. 6) {
        known("w$n");
        make(group => "w$n", name => 'Own');

        for (my $i = 0; $i < $m; $i += 1000) {
            redis('ZADD', key("p:w$n:rooms"),
                  map { (0, sprintf 'room-%010d%016d', $same ? 0 : $n, $i + $_)
                  } 0 .. 999);
        }

        page("w$n", now_at(), 20);
    }

    is((page('w1', now_at(), 20))[0], $read,
       "who waits in rooms of their own: $name");
}

done_testing();
