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

my ($ann) = known('ann');
my $ws = must('POST', '/v1/workspaces', 'ann', { name => 'W' })->{id};
my $there = made(group => 'ann', name => 'There', workspace_id => $ws);

$seen->('ann', "workspace_id=$ws", $there);
$seen->('ann', "workspace_id=$ann->{workspace_id}", $dark, $town, $open,
        $mine);
$seen->('cy', "workspace_id=$ann->{workspace_id}", $town, $open);
$seen->('ann', 'workspace_id=ws-nonsense');
$seen->('ann', "workspace_id=$ws&room_type=public");

# arguments that are not valid
for my $case ([limit => 'limit=0'], [limit => 'limit=201'],
              [limit => 'limit=-1'], [limit => 'limit=x'],
              [limit => 'limit='], [limit => 'limit=1.5'],
              [limit => 'limit=99999999999999999999'],
              [offset => 'offset=-1'], [offset => 'offset=10001'],
              [offset => 'offset=x'], [room_type => 'room_type=x'],
              [room_type => 'room_type='], [membership => 'membership=leave'],
              [membership => 'membership=ban'],
              [membership => 'membership=x'], [q => 'q=%ff'],
              [q => 'q=a%00b'], [q => 'q=' . 'x' x 129],
              [cursor => 'cursor=x'], [cursor => 'cursor='],
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
