# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Pages are bounded in bytes: a page of large events ends at 1 MiB, nothing is
# skipped or shown twice, and the store is made to send no more than that.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Row;
use RoomsTest::Export ();

start();
known(qw(ann bob));

my $json = JSON::PP->new->utf8->canonical;
my $MiB = 1024 * 1024;

# What the store has sent so far.
sub sent {
    my ($n) = redis('INFO', 'stats') =~ /total_net_output_bytes:(\d+)/;

    return $n;
}

# All pages: the events, and of each page its bytes and what the store sent.
sub walk {
    my ($path, $name, $args) = @_;
    my ($cursor, @events, @bytes, @store);

    do {
        my $before = sent();
        my $res = call('GET', "$path?$args"
                       . (defined $cursor ? "&$name=$cursor" : ''), 'ann');

        die "$path: $res->{body}\n" if $res->{status} != 200;

        push @store, sent() - $before;
        push @bytes, length $res->{body};
        push @events, @{$res->{data}};

        $cursor = $res->{meta}{has_more} ? $res->{meta}{next_cursor} : undef;

        die "a page without anything\n" if defined $cursor && !@{$res->{data}};
    } while (defined $cursor);

    return (\@events, \@bytes, \@store);
}

sub max { my ($m) = sort { $b <=> $a } @_; return $m }

# messages of 64 KiB, half of them edited: 5 MB

my $room = make(group => 'ann', name => 'Large');
my $path = "/v1/rooms/$room";
my @ids;

for my $i (1 .. 36) {
    my $text = chr(97 + $i % 26) x 65000;
    my $id = must('POST', "$path/send", 'ann',
                  { content => { n => $i, t => $text } })->{id};

    push @ids, $id;
    must('POST', "$path/events/$id/edit", 'ann',
         { content => { n => $i, t => $text } }) if $i % 2;
}

for my $direction (qw(back forward)) {
    my ($events, $bytes, $store) = walk("$path/messages", 'from',
                                        "limit=200&direction=$direction");
    my @seen = map { $_->{id} } grep { $_->{content}{n} } @$events;

    is_deeply($direction eq 'back' ? [reverse @seen] : \@seen, \@ids,
              "$direction: each once, in order");
    cmp_ok(max(@$bytes), '<=', $MiB + 1024, 'no page is larger than 1 MiB');
    cmp_ok(@$bytes, '<=', 7, 'and none much smaller, but for the last');
    cmp_ok(max(@$store), '<', 1.2 * $MiB, 'the store sends no more than that')
        or diag("@$store");
}

# one event that is larger than anything is a page

my ($first) = @{redis('ZREVRANGE', key("r:$room:events"), 0, 0,
                      'WITHSCORES')};
my $huge = row_event($first);
my $score = $huge->{stream_position};

$huge->{content}{t} = 'x' x (2 * $MiB);
redis('ZREMRANGEBYSCORE', key("r:$room:events"), $score, $score);
redis('ZADD', key("r:$room:events"), $score, event_row($huge));

my $res = call('GET', "$path/messages?limit=200", 'ann');

is(scalar @{$res->{data}}, 1, 'a page has one event at least');
ok($res->{meta}{has_more}, 'and says that there is more');
is($res->{meta}{next_cursor}, $score, 'behind it');

# a room of short messages takes one plain command for its page, whatever the
# limit; one that has had a large one is read by bytes

my $short = make(group => 'ann', name => 'Short');

RoomsTest::Export::fill($short, 'ann', 300, 20);
redis('HDEL', key("r:$short"), 'big');

sub commands {
    my ($path) = @_;

    redis('CONFIG', 'RESETSTAT');
    call('GET', $path, 'ann');

    return { redis('INFO', 'commandstats')
             =~ /cmdstat_(\w+):calls=(\d+)/g };
}

for my $limit (1, 50, 200) {
    my $c = commands("/v1/rooms/$short/messages?limit=$limit");

    is($c->{zrevrangebyscore}, 1, "one command for $limit short ones");
    is($c->{evalsha}, undef, 'and no script');
}

must('POST', "/v1/rooms/$short/send", 'ann',
     { content => { t => 'x' x 60000 } });
is(redis('HGET', key("r:$short"), 'big'), 65536, 'the room knows its largest');

my $c = commands("/v1/rooms/$short/messages?limit=200");

is($c->{evalsha}, 1, 'then the store counts bytes');

$c = commands("/v1/rooms/$short/messages?limit=15");
is($c->{evalsha}, undef, 'unless so many fit anyway');

# the size of all who write events: an edit with what it replaces, and what an
# import brings

for my $case ([10, 1024], [800, 1024], [1000, 2048], [1500, 2048], [3000, 4096]) {
    my ($n, $big) = @$case;
    my $r = make(group => 'ann', name => "Sizes $n");

    must('POST', "/v1/rooms/$r/send", 'ann', { content => { t => 'x' x $n } });
    is(redis('HGET', key("r:$r"), 'big') // 1024, $big, "of $n bytes");
}

my $edited = make(group => 'ann', name => 'Edited');
my $id = must('POST', "/v1/rooms/$edited/send", 'ann',
              { content => { t => 'x' x 3000 } })->{id};

must('POST', "/v1/rooms/$edited/events/$id/edit", 'ann',
     { content => { t => 'x' x 3000 } });
is(redis('HGET', key("r:$edited"), 'big'), 8192, 'an edit keeps the original');

my @big = map { length } @{redis('ZRANGE', key("r:$edited:events"), 0, -1)};

cmp_ok(max(@big), '<=', 8192, 'which is no less than any event has');

my (undef, $zip) = RoomsTest::Export::bundle($edited, 'ann');

require RoomsTest::Bundle;

my ($body, $type) = RoomsTest::Bundle::form($zip);

$res = call('POST', '/v1/rooms/import', 'ann', $body, 'Content-Type' => $type);
is($res->{status}, 201, 'imported') or diag($res->{body});

my $copy = $res->{data}{id};

@big = map { length } @{redis('ZRANGE', key("r:$copy:events"), 0, -1)};
cmp_ok(max(@big), '<=', redis('HGET', key("r:$copy"), 'big') // 1024,
       'an import says how large its events are');

# many at once write larger and larger ones: none is lost, none is too large

my $race = make(group => 'ann', name => 'Race');

admit($race, 'ann', 'bob');

my @res = many(20, map { ['POST', "/v1/rooms/$race/send",
                          $_ % 2 ? 'ann' : 'bob',
                          { content => { t => 'x' x (500 * $_) } }] }
                   1 .. 60);

is(scalar(grep { $_->{status} == 201 } @res), 60, 'all are written');
@big = map { length } @{redis('ZRANGE', key("r:$race:events"), 0, -1)};
cmp_ok(max(@big), '<=', redis('HGET', key("r:$race"), 'big'),
       'and the room says a size that none exceeds');

done_testing();
