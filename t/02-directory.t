# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# GET /v1/directory/rooms and GET /v1/rooms/archived

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan));

my $dir = '/v1/directory/rooms';

# Ids are in the order of time to the millisecond: here one room in each.
sub made {
    sleep 0.002;

    return make(@_);
}

my $seen = sub {
    my ($who, $query, @want) = @_;
    my $res = call('GET', $dir . ($query ? "?$query" : ''), $who);
    my $name = "$who sees of ?$query";

    $res->{status} == 200 or return fail("$name: $res->{body}");

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is_deeply([ids(@{$res->{data}})], \@want, $name);
};

expect("200\ndata # 0\nmeta.has_more = false\nmeta.next_cursor null", 'GET',
       $dir, 'ann');

# who sees what: newest first
my $mine = made(group => 'ann', name => 'Mine');
my $open = made(group => 'ann', name => 'Open house', is_public => true);
my $town = made(public => 'ann', name => 'Town square',
                topic => 'All things Einkauf');
my $dark = made(incognito => 'ann', name => 'Dark');
my $dm = made(dm => 'ann', with => 'bob');
my $asked = made(group => 'bob', name => 'Asked');

must('POST', "/v1/rooms/$asked/invite", 'bob', { participant_id => 'ann' });

$seen->('ann', '', $asked, $dm, $dark, $town, $open, $mine);
$seen->('bob', '', $asked, $dm, $town, $open);
$seen->('cy', '', $town, $open);
$seen->('cy@other', '');
$seen->('cy!', '', $town, $open);

# a row is a room as the viewer sees it
my $row = call('GET', "$dir?limit=2", 'ann')->{data};

is_deeply($row->[0], call('GET', "/v1/rooms/$asked", 'ann')->{data},
          'an invited room as it is read by id');
is_deeply($row->[1], call('GET', "/v1/rooms/$dm", 'ann')->{data}, 'a DM');
is($row->[1]{name}, 'bob', 'called after the other side');
is(call('GET', $dir, 'bob')->{data}[1]{name}, 'ann', 'and for the other');
is(call('GET', $dir, 'cy')->{data}[0]{me}, undef, 'me of a guest');

# filters
$seen->('ann', 'room_type=group', $asked, $open, $mine);
$seen->('ann', 'room_type=public', $town);
$seen->('ann', 'room_type=incognito', $dark);
$seen->('ann', 'room_type=dm', $dm);
$seen->('ann', 'room_type=bridge');
$seen->('ann', 'membership=join', $dm, $dark, $town, $open, $mine);
$seen->('ann', 'membership=invite', $asked);
$seen->('cy', 'membership=join');
$seen->('bob', 'membership=join&room_type=group', $asked);

$seen->('ann', 'q=SQUARE', $town);
$seen->('ann', 'q=einkauf', $town);
$seen->('ann', 'q=open+HOUSE', $open);
$seen->('ann', 'q=open%20house', $open);
$seen->('ann', 'q=open-house', $open);
$seen->('ann', 'q=', $asked, $dm, $dark, $town, $open, $mine);
$seen->('ann', 'q=nothing-of-it');
$seen->('cy', 'q=mine');
$seen->('cy', 'q=dark');
$seen->('ann', 'q=Bob', $dm);
$seen->('bob', 'q=bob');
$seen->('bob', 'q=aNN', $dm);

# every word begins a word, of the name, the topic or the alias, in any order
$seen->('ann', 'q=ein', $town);
$seen->('ann', 'q=squ+all+einkauf', $town);
$seen->('ann', 'q=quare');
$seen->('ann', 'q=square+dark');
$seen->('ann', 'q=%2b', $asked, $dm, $dark, $town, $open, $mine);

my ($ann) = known('ann');
my $ws = must('POST', '/v1/workspaces', 'ann', { name => 'W' })->{id};
my $there = made(group => 'ann', name => 'There', workspace_id => $ws);

$seen->('ann', "workspace_id=$ws", $there);
$seen->('ann', "workspace_id=$ann->{workspace_id}", $dark, $town, $open,
        $mine);
$seen->('cy', "workspace_id=$ann->{workspace_id}", $town, $open);
$seen->('ann', 'workspace_id=ws-nonsense');
$seen->('ann', "workspace_id=$ws&room_type=public");

# whatever the case, the accents and the form of Unicode
tenant('scripts');
known(qw(ann bob));

my %called = (
    russian => "\x{41e}\x{431}\x{449}\x{438}\x{439} \x{447}\x{430}\x{442}",
    german => "Sch\x{f6}ne Stra\x{df}e", nfd => "E\x{301}tude",
    turkish => "\x{130}stanbul", greek => "\x{39f}\x{394}\x{39f}\x{3a3}",
    chinese => "\x{4e2d}\x{6587}\x{9891}\x{9053}",
    wide => "\x{ff26}\x{ff35}\x{ff2c}\x{ff2c}", polish => "\x{141}\x{f3}d\x{17a}",
);
my %by = map { $_ => made(group => 'ann', name => $called{$_}) }
         sort keys %called;

for my $case ([russian => "\x{43e}\x{431}\x{449}\x{438}\x{439}"],
              [russian => "\x{427}\x{410}\x{422} \x{41e}\x{411}"],
              [german => "SCH\x{d6}NE"], [german => "scho\x{308}ne"],
              [german => 'STRASSE'], [german => 'schone stra'],
              [nfd => "\x{e9}tude"], [nfd => 'ETUDE'],
              [nfd => "e\x{301}tu"],
              [turkish => 'istanbul'], [turkish => 'ISTANBUL'],
              [turkish => "\x{131}stanbul"], [turkish => "\x{130}ST"],
              [greek => "\x{3bf}\x{3b4}\x{3bf}\x{3c2}"],
              [greek => "\x{3bf}\x{3b4}\x{3bf}\x{3c3}"],
              [chinese => "\x{4e2d}\x{6587}"],
              [chinese => "\x{9891}\x{9053}"],
              [wide => 'full'], [wide => "\x{ff46}\x{ff35}"],
              [polish => 'lodz'], [polish => "\x{142}\x{f3}DZ"])
{
    my ($which, $q) = @$case;

    utf8::encode($q);
    $seen->('ann', 'q=' . join('', map { sprintf '%%%02X', ord }
                                   split //, $q), $by{$which});
}

$seen->('ann', 'q=%C3%BC');
must('PUT', "/v1/rooms/$by{wide}/topic", 'ann',
     { topic => "Lunch caf\x{e9} " . "\x{fdfa} " x 500 });
$seen->('ann', 'q=CAFE', $by{wide});
must('PUT', "/v1/rooms/$by{wide}/topic", 'ann', { topic => undef });
$seen->('ann', 'q=cafe');

# a total
expect("200\ndata # 2\nmeta.total = 8\nmeta.has_more = true", 'GET',
       "$dir?count=true&limit=2", 'ann');
expect("200\ndata # 8\nmeta.total = 8\nmeta.has_more = false", 'GET',
       "$dir?count=true", 'ann');
expect("200\ndata # 8\nmeta # 2", 'GET', "$dir?count=false", 'ann');
expect("200\ndata # 0\nmeta.total = 0", 'GET', "$dir?count=true", 'bob');
expect("200\ndata # 1\nmeta.total = 1", 'GET',
       "$dir?count=true&q=istanbul", 'ann');
expect("200\ndata # 1\nmeta.total = 8", 'GET',
       "$dir?count=true&offset=7&limit=5", 'ann');

{
    my $first = call('GET', "$dir?limit=3", 'ann');
    my $next = call('GET', "$dir?limit=3&count=true&cursor="
                           . $first->{meta}{next_cursor}, 'ann');
    my @order = ids(pages($dir, 'ann', 'cursor', 200));

    is_deeply([ids(@{$next->{data}})], [@order[3 .. 5]],
              'the page behind a cursor');
    is($next->{meta}{total}, 8, 'and the total of all pages');
    is_deeply([ids(pages("$dir?count=true", 'ann', 'cursor', 3))], \@order,
              'page by page');
}

tenant('acme');

# Who is removed between the two reads: the list of rooms still has them.
for my $left (undef, 'ban 0 0 0') {
    my $room = made(group => 'ann', name => 'Two reads');

    admit($room, 'ann', 'bob');
    redis('HDEL', key("r:$room:members"), 'bob');
    redis('HSET', key("r:$room:members"), 'bob', $left) if $left;
    ok((grep { $_ eq $room } @{redis('ZRANGE', key('p:bob:rooms'), 0, -1)}),
       'the list has it');
    $seen->('bob', 'q=reads');
    $seen->('ann', 'q=reads', $room);
    must('POST', "/v1/rooms/$room/archive", 'ann');
    is(scalar(grep { $_ eq $room }
              ids(pages('/v1/rooms/archived', 'bob', 'cursor', 200))), 0,
       'nor among the archived ones');
    must('POST', "/v1/rooms/$room/close", 'ann');
}

# arguments that are not valid
for my $case ([limit => 'limit=0'], [limit => 'limit=201'],
              [limit => 'limit=-1'], [limit => 'limit=x'],
              [limit => 'limit=1.5'],
              [limit => 'limit=99999999999999999999'],
              [offset => 'offset=-1'], [offset => 'offset=10001'],
              [offset => 'offset=x'], [room_type => 'room_type=x'],
              [membership => 'membership=leave'],
              [membership => 'membership=ban'],
              [membership => 'membership=x'], [count => 'count=x'],
              [count => 'count=1'], [q => 'q=%ff'],
              [q => 'q=a%00b'], [q => 'q=' . 'x' x 129],
              [cursor => 'cursor=x'],
              [cursor => 'cursor=%00'], [cursor => 'cursor=' . 'A' x 4096],
              [cursor => "cursor=$mine"])
{
    expect("400 SW_VALIDATION_FAILED $case->[0]", 'GET', "$dir?$case->[1]",
           'ann');
}

$seen->('ann', 'limit=200', $there, $asked, $dm, $dark, $town, $open, $mine);
$seen->('ann', 'offset=10000');
$seen->('ann', 'unknown=1&limit=1', $there);

# a cursor of another list is a bad one
make(group => 'dan', name => "dan $_") for 1 .. 3;

my $room = made(group => 'dan', name => 'Full');
my $events = call('GET', "/v1/rooms/$room/messages?limit=1", 'dan');

must('POST', "/v1/rooms/$room/send", 'dan', { content => {} }) for 1, 2;
$events = call('GET', "/v1/rooms/$room/messages?limit=1", 'dan');
ok($events->{meta}{next_cursor}, 'a cursor of messages');
expect('400 SW_VALIDATION_FAILED cursor', 'GET',
       "$dir?cursor=$events->{meta}{next_cursor}", 'dan');

# pages
tenant('pages');
known(qw(ann bob));

# ids are in the order of time to the millisecond
my @all = reverse sort map { make($_ % 3 ? 'group' : 'public', 'ann',
                                  name => "Room $_") } 1 .. 25;
my %number = map { my ($n) = call('GET', "/v1/rooms/$_", 'ann')->{data}{name}
                             =~ /(\d+)/; $_ => $n } @all;

for my $limit (1, 7, 24, 25, 26) {
    is_deeply([ids(pages($dir, 'ann', 'cursor', $limit))], \@all,
              "pages of $limit");
}

my $page = call('GET', "$dir?limit=25", 'ann');

ok(!$page->{meta}{has_more}, 'a page that is just full is the last');
is($page->{meta}{next_cursor}, undef, 'and has no cursor');
$page = call('GET', "$dir?limit=24", 'ann');
ok($page->{meta}{has_more}, 'one more');

for my $offset (0, 1, 10, 24, 25, 26) {
    $seen->('ann', "offset=$offset&limit=10",
            $offset > $#all ? ()
            : @all[$offset .. ($offset + 9 > $#all ? $#all : $offset + 9)]);
}

my @public = grep { call('GET', "/v1/rooms/$_", 'bob')->{status} == 200 }
             @all;

is(scalar @public, 8, 'public rooms');
is_deeply([ids(pages($dir, 'bob', 'cursor', 3))], \@public,
          'pages of what is public');
is_deeply([ids(pages("$dir?q=room+1", 'ann', 'cursor', 2))],
          [grep { $number{$_} =~ /^1/ } @all], 'pages of what is searched');
is_deeply([ids(pages("$dir?room_type=public", 'ann', 'cursor', 3))],
          \@public, 'pages of a filter');

# changes between pages: what stood still is there once
my @got;

$page = call('GET', "$dir?limit=5", 'ann');
push @got, ids(@{$page->{data}});

my $new = made(group => 'ann', name => 'New');

must('POST', "/v1/rooms/$all[4]/close", 'ann');   # the cursor's own
must('POST', "/v1/rooms/$all[7]/archive", 'ann'); # one to come
must('PUT', "/v1/rooms/$all[9]/name", 'ann', { name => 'Renamed' });
must('PUT', "/v1/rooms/$all[1]/name", 'ann', { name => 'Renamed' });

while ($page->{meta}{has_more}) {
    $page = call('GET', "$dir?limit=5&cursor=$page->{meta}{next_cursor}",
                 'ann');
    push @got, ids(@{$page->{data}});
}

is_deeply(\@got, [@all[0 .. 6], @all[8 .. 24]],
          'nothing is skipped or shown twice');
is_deeply([ids(pages($dir, 'ann', 'cursor', 200))],
          [$new, @all[0 .. 3], @all[5, 6], @all[8 .. 24]],
          'only open rooms are listed');

# somebody who is in more rooms than are looked at in one round, of which
# few are shown
tenant('many');
known(qw(ann));

my @many = many(8, map { ['POST', '/v1/rooms', 'ann',
                          { room_type => 'group',
                            name => $_ % 50 ? 'Common' : 'Rare' }] }
                       1 .. 230);
my @rare = reverse sort map { $_->{data}{id} }
           grep { $_->{data}{name} eq 'Rare' } @many;

is(scalar @rare, 4, 'rare rooms');
is_deeply([ids(pages("$dir?q=rare", 'ann', 'cursor', 1))], \@rare,
          'found one by one');
is(scalar(pages($dir, 'ann', 'cursor', 200)), 230, 'all of them');
is(scalar(pages($dir, 'ann', 'cursor', 99)), 230, 'by 99');
is_deeply([ids(pages($dir, 'ann', 'cursor', 100))],
          [reverse sort map { $_->{data}{id} } @many], 'by 100, in order');
is(scalar @{call('GET', $dir, 'ann')->{data}}, 50, 'a page is 50');
is(scalar @{call('GET', "$dir?offset=225", 'ann')->{data}}, 5,
   'an offset past a round');

# archived
tenant('archive');
known(qw(ann bob cy));

my $list = '/v1/rooms/archived';
my @old = map { made(group => 'ann', name => "Old $_") } 1 .. 5;
my $public = made(public => 'ann', name => 'Public');
my $pair = made(dm => 'ann', with => 'bob');
my $gone = made(group => 'ann', name => 'Gone');

admit($old[0], 'ann', 'bob');
must('POST', "/v1/rooms/$old[1]/invite", 'ann', { participant_id => 'bob' });
expect("200\ndata # 0\nmeta.has_more = false\nmeta.next_cursor null", 'GET',
       $list, 'ann');
must('POST', "/v1/rooms/$_/archive", 'ann')
    for @old, $public, $pair, $gone;
must('POST', "/v1/rooms/$gone/close", 'ann');

is_deeply([ids(@{call('GET', $list, 'ann')->{data}})],
          [$pair, $public, reverse @old], 'newest first, no closed ones');
is_deeply([ids(pages($list, 'ann', 'cursor', 2))],
          [$pair, $public, reverse @old], 'by pages');
is((call('GET', $list, 'ann')->{data}[0]{name}), 'bob', 'a DM has its name');
is_deeply([grep { $_ eq $old[0] || $_ eq $pair }
           ids(pages($list, 'bob', 'cursor', 2))], [$pair, $old[0]],
          'of another member');
is_deeply([ids(pages($list, 'cy', 'cursor', 2))], [],
          'a public room that is archived is not for everyone');
$seen->('ann', '');
$seen->('cy', '');
must('POST', "/v1/rooms/$public/rejoin", 'ann');
$seen->('cy', '', $public);
is_deeply([ids(pages($list, 'ann', 'cursor', 2))], [$pair, reverse @old],
          'restored');
expect('400 SW_VALIDATION_FAILED limit', 'GET', "$list?limit=201", 'ann');
expect('400 SW_VALIDATION_FAILED cursor', 'GET', "$list?cursor=x", 'ann');

# the last member of a room that emptied finds it there
must('POST', "/v1/rooms/$public/leave", 'ann');
$seen->('cy', '');
is((ids(pages($list, 'ann', 'cursor', 2)))[1], $public, 'emptied');
expect('401 SW_AUTH_INVALID_TOKEN', 'GET', $list, undef);
expect('401 SW_AUTH_INVALID_TOKEN', 'GET', $dir, undef);
expect('200', 'HEAD', $dir, 'ann');
stop_nginx();

done_testing();
