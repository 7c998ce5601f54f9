# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A sync that begins far back, in very many rooms: each page is what somebody
# would see who reads all rooms each time, whatever a worker has learned with
# the pages before; and it asks few rooms.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

my $n = $ENV{TEST_NGINX_USE_VALGRIND} ? 200 : 600;
my @digits = split //, '0123456789abcdefghjkmnpqrstvwxyz';

seeded();
start('', workers => 1);
known(qw(ann bob));

my $from = 1577836800000;
my $day = int(time * 1000) - 20 * 86400_000;    # when the rooms begin
my %at;                                         # position -> room
my %joined;
my %own;                                        # positions of ann's own news
my $random = 0;

# An id, as if made at that time (ms).
sub id_of {
    my ($ms) = @_;
    my $id = '';

    for (1 .. 10) {
        $id = $digits[$ms % 32] . $id;
        $ms = int($ms / 32);
    }

    return sprintf 'room-%s%016d', $id, ++$random;
}

# Writes events of a room at positions.
sub events_at {
    my ($room, @positions) = @_;

    @positions = grep { !$at{$_} } @positions;
    $at{$_} = $room for @positions;

    my @rows = map { ($_, sprintf '%013x%016x message bob %d {"body":"x"}',
                          $_, ++$random, $from + $_ / 8) } @positions;

    redis('ZADD', key("r:$room:events"), @rows) if @rows;
}

# A room of ann's, with so many events from that time on.
sub room_at {
    my ($id, $position, $events, $membership) = @_;
    my @positions = map { $position + int rand 8000 * 3600 * 24 * 12 }
                    2 .. $events;

    events_at($id, $position, @positions);
    $joined{$id} = $membership eq 'join';
    redis('HSET', key("r:$id"), 'meta', 'group - 0 0 1 bob', 'state', 'open');
    redis('HSET', key("r:$id:members"), 'ann', "$membership 0 0 0");
    redis('ZADD', key('p:ann:rooms'), 0, $id);
}

# What is known of when rooms have news, and that ann has other rooms.
sub settle {
    my ($same) = @_;
    my (%last, $last);

    for (sort { $a <=> $b } keys %at) {
        $last{$at{$_}} = $last = $_;
    }

    my @active = map { ($last{$_}, $_) } keys %last;

    redis('ZADD', key('active'), splice @active, 0, 1000) while @active;
    redis('SET', key('position'), $last)
        if (redis('GET', key('position')) // 0) < $last;
    redis('ZADD', key('p:ann:news'), $last, 'list') if !$same;
}

# What somebody sees from there on.
sub all_from {
    my ($since) = @_;

    return grep { $_ > $since && ($joined{$at{$_}} || $own{$_}) }
           sort { $a <=> $b } keys %at;
}

sub asked {
    my ($calls) = redis('INFO', 'commandstats')
                  =~ /^cmdstat_zrangebyscore:calls=(\d+)/m;

    return $calls // 0;
}

my $most = 0;
my $here = 0;                                   # where a follower is

sub page {
    my ($since, $limit) = @_;
    my $before = asked();
    my $page = must('GET', "/v1/sync?timeout=0&since=$since&limit=$limit",
                    'ann');

    $most = asked() - $before;

    return ($page->{next_cursor}, $page->{has_more} ? 1 : 0,
            map { $_->{stream_position} } @{$page->{events}});
}

# One page beside what it must be.
sub check {
    my ($since, $limit) = @_;
    my @all = all_from($since);
    my ($next, $more, @got) = page($since, $limit);
    my @want = grep { $_ <= $next } @all;

    return "since $since, limit $limit: got @got, not @want"
        if "@got" ne "@want";
    return "since $since, limit $limit: it ends at $next" if $next <= $since
                                                             && @all;
    return "since $since, limit $limit: more is $more" if $more != (@all > @got);
    return "since $since, limit $limit: only " . @got
        if @got < $limit && @all > @got;

    return ('', $next, $more);
}

# All pages to the end; %do: after how many pages to do what.
sub follow {
    my ($name, $since, $limit, %do) = @_;
    my ($bad, $more, $pages) = ('', 1, 0);

    while ($more && !$bad) {
        ($bad, $since, $more) = check($since, $limit);
        $here = $since;
        $do{$pages}->() if $do{++$pages};
    }

    is($bad, '', "$name: pages of $limit ($pages)");
}

# Rooms that began one after the other, over twenty days.

{
    my $ms = $day;

    for (1 .. $n) {
        $ms += 1 + int rand 2 * 86400_000 / $n * 5;
        room_at(id_of($ms), ($ms - $from) * 8 + int rand 50, 1 + int rand 5,
                'join');
    }

    settle();
    must('GET', '/v1/sync?since=0&timeout=0', 'ann') for 1 .. 2;

    my ($next) = page(0, 20);

    cmp_ok($most, '<=', 200, "the first page asks few rooms: $most");
    ($next) = page($next, 20);
    cmp_ok($most, '<=', 200, "the second one, too: $most");

    my @all = all_from(0);

    page($all[@all / 2], 20);
    ($next) = page($all[@all / 2], 20);
    ($next) = page($next, 20);
    cmp_ok($most, '<=', 200, "the next one in the middle, too: $most");
    follow('all', 0, 500);
    follow('all', 0, 37);
    follow('from the middle', $all[@all / 3], 10);
}

# Rooms with other ids, those that began before the time of their id, and
# those where ann is invited.

room_at("room-$_", ($day - $from) * 8 + $_, 3, 'join') for 1 .. 3;

for (1 .. 5) {
    my $ms = $day + int rand 86400_000 * 10;
    my $id = id_of($ms + 5 * 86400_000);

    room_at($id, ($ms - $from) * 8, 4, 'join');
    redis('ZADD', key('early'), 0, $id);
}

for (1 .. 30) {
    my $ms = $day + 86400_000 * 10 + $_ * 1000;

    my $id = id_of($ms);

    room_at($id, ($ms - $from) * 8, 3, 'invite');

    # what concerns oneself is seen without being a member
    if ($_ % 3 == 0) {
        my ($own) = grep { $at{$_} eq $id } sort keys %at;

        $own{$own} = 1;
        redis('ZADD', key('p:ann:news'), $own, "m $id");
    }
}

settle();
follow('others', 0, 23);
follow('others', 0, 100);
follow('others', ($day - $from + 86400_000 * 9) * 8, 2);

# Behind the last events that ann sees, more rooms than a page reads have
# events that she doesn't see: the page is full, or it is the end.

{
    my $last = (sort { $a <=> $b } keys %at)[-1];
    my @known = grep { $joined{$_} } sort keys %joined;

    events_at($known[$_], $last + $_) for 1 .. 4;

    for (1 .. 40) {
        my $ms = int($last / 8) + $from + $_;

        room_at(id_of($ms), ($ms - $from) * 8 + 8, 1, 'invite');
    }

    settle();
    follow('not seen', $last, $_) for 1 .. 5, 23;
}

# The same with the rooms' list kept, and from two places in turn.

make(group => 'ann', name => 'A version');
$at{$_} = 'own' for map { $_->{stream_position} }
                    @{must('GET', '/v1/sync?timeout=0&since='
                           . ((sort { $a <=> $b } keys %at)[-1]),
                           'ann')->{events}};
$joined{own} = 1;
follow('kept', 0, 23);
follow('kept', 0, 200);

{
    my @all = all_from(0);
    my @since = (0, $all[@all / 2]);
    my @bad;

    for (1 .. 30) {
        my $which = int rand 2;
        my ($bad, $next) = check($since[$which], 1 + int rand 40);

        push @bad, $bad if $bad;
        $since[$which] = $next;
    }

    is_deeply(\@bad, [], 'two of them in turn');
}

# Rooms that ann leaves, is removed from, and joins, between the pages.

{
    my @all = all_from(0);
    my %seen;
    my @rooms = grep { $_ ne 'own' && !$seen{$_}++ } map { $at{$_} } @all;
    my ($gone, $barred) = @rooms[@rooms / 2, @rooms / 2 + 1];
    my $ms = $day + 86400_000 * 9;
    my $version = (sort { $a <=> $b } keys %at)[-1];

    follow('members', 0, 29,
           2 => sub {
               delete $joined{$gone};
               redis('HDEL', key("r:$gone:members"), 'ann');
               redis('ZREM', key('p:ann:rooms'), $gone);
               redis('ZADD', key('p:ann:news'), $version - 1, 'list');
           },
           # of this one the worker isn't told
           4 => sub {
               delete $joined{$barred};
               redis('HDEL', key("r:$barred:members"), 'ann');
           },
           6 => sub {
               room_at(id_of($ms + $_), ($ms + $_ - $from) * 8, 4, 'join')
                   for 1 .. 3;
               settle();
           });
}

# History that comes later, below what was read already.

{
    my @all = all_from(0);
    my $early = $all[3 * @all / 4];
    my ($last) = grep { $at{$_} ne 'own' } reverse @all;
    my @late = map { $last - $_ } 1 .. 5;
    my $id = $at{$last};

    page($all[@all / 2], 20);
    follow('backfill', $all[@all / 2], 10, 2 => sub {
        events_at($id, $early + 1, @late);
        redis('HSET', key('tenant'), 'backfilled',
              sprintf '%016d', ++$random);
    });
    follow('backfill', 0, 100);
}

# What is said in rooms that were quiet when they were asked.

follow('quiet', 0, 10, int(all_from(0) / 15) => sub {
    my %late = map { ($at{$_} => 1) } all_from($here);
    my @quiet = grep { $_ ne 'own' && !$late{$_}++ } @at{all_from(0)};
    my $now = redis('GET', key('position'));

    cmp_ok(scalar @quiet, '>=', $n / 10, 'rooms are quiet: ' . @quiet);
    events_at($_, $now += 8) for @quiet;
    settle('the same rooms');
});

# While others write.

{
    my @rooms = map { make(group => 'ann', name => "Now $_") } 1 .. 3;
    my @all = all_from(0);
    my ($bad, $since, $more) = ('', $all[@all / 2], 1);
    my $pages = 0;
    my %seen;

    while ($more && $pages++ < 1000) {
        my $page = must('GET', "/v1/sync?timeout=0&since=$since&limit=50",
                        'ann');

        $seen{$_->{stream_position}}++ for @{$page->{events}};
        ($since, $more) = @$page{qw(next_cursor has_more)};
        must('POST', "/v1/rooms/$rooms[$pages % 3]/send", 'ann',
             { content => { body => 'y' } }) if $more && $pages < 20;
    }

    my %want = map { ($_ => 1) } grep { $_ > $all[@all / 2] } @all;

    for my $room (@rooms) {
        my $it = redis('ZRANGE', key("r:$room:events"), 0, -1, 'WITHSCORES');

        $want{$it->[2 * $_ + 1]} = 1 for 0 .. $#$it / 2;
    }

    is_deeply(\%seen, \%want, 'each event once, those written meanwhile, too');
}

done_testing();
