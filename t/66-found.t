# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Public rooms in the index of words: what it has, what it never has, and that
# filters which match nothing read nothing.

use strict;
use warnings;
use utf8;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob eve));

my $index = key('words:rooms');

# Ids that a word has in the index itself.
sub entries {
    return sort @{redis('ZRANGEBYLEX', $index, "[$_[0]", "($_[0]\xff")};
}

sub escaped {
    my ($q) = @_;

    utf8::encode($q);

    return $q =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
}

sub found {
    my ($q, $who, $more) = @_;

    $q = escaped($q);

    return [ids(pages("/v1/directory/rooms?q=$q" . ($more // ''),
                      $who // 'bob', 'cursor', 50))];
}

sub commands {
    my ($path, $who) = @_;
    my $count = sub {
        my ($n) = redis('INFO', 'stats') =~ /total_commands_processed:(\d+)/;
        return $n;
    };

    call('GET', $path, $who);

    my $before = $count->();
    my $res = call('GET', $path, $who);

    is($res->{status}, 200, "$path: 200");

    return $count->() - $before - 1;
}

my $public = make(public => 'ann', name => 'Straße der Vögel',
                  topic => 'Alles über Zugvögel');
my $group = make(group => 'ann', name => 'Geheim Wort', topic => 'geheimer');
my $incognito = make(incognito => 'ann', name => 'Verdeckt');
my $open = make(group => 'ann', name => 'Offen Wort', is_public => true);
my $dm = make(dm => 'ann', with => 'eve');

is_deeply(found('VOGEL'), [$public], 'a word of the name');
is_deeply(found('strasse der'), [$public], 'several');
is_deeply(found('zugv'), [$public], 'a word of the topic');
is_deeply(found('zugv strass'), [$public], 'of both');
is_deeply(found('zugv offen'), [], 'of two rooms');
is_deeply(found('wort'), [$open], 'a public group; the other is not seen');
is_deeply(found('wort', 'ann'), [$open, $group],
          'who is in it finds it, newest first');
is_deeply(found('verd', 'ann'), [$incognito], 'so it is with incognito rooms');
is_deeply(found('eve', 'ann'), [$dm], 'and with DMs, by the other side');

my @ids = map { /(room-\w+)/ ? $1 : () } @{redis('ZRANGE', $index, 0, -1)};

is_deeply([grep { $_ ne $public && $_ ne $open } @ids], [],
          'the index has words of public rooms alone');

# other names
must('PUT', "/v1/rooms/$public/name", 'ann', { name => 'Lurche' });
is_deeply(found('lurch'), [$public], 'a new name is found');
must('PUT', "/v1/rooms/$public/name", 'ann', { name => 'Fische' });
is_deeply([entries('lurche')], [], 'and the old one gone from the index');
is_deeply(found('strasse'), [$public], 'but the alias stays, and its words');
is_deeply(found('zugv'), [$public], 'and the topic');
must('PUT', "/v1/rooms/$public/topic", 'ann', { topic => 'Fische, Quallen' });
is_deeply([entries('zugvogel')], [], 'an old topic goes');
is_deeply(found('quall'), [$public], 'a new one comes');
must('PUT', "/v1/rooms/$public/topic", 'ann', { topic => undef });
is_deeply([entries('quallen')], [], 'no topic');
is_deeply(found('fische'), [$public], 'its words are not those of the name');

# states
must('POST', "/v1/rooms/$public/archive", 'ann', {});
is_deeply([grep { /\Q$public\E/ } @{redis('ZRANGE', $index, 0, -1)}], [],
          'an archived room is in no index');
must('POST', "/v1/rooms/$public/rejoin", 'ann', {});
is_deeply(found('fische'), [$public], 'and again when it is back');
is_deeply(found('', undef, '&room_type=public'), [$public], 'also by type');
must('POST', "/v1/rooms/$public/close", 'ann', {});
is_deeply([grep { /\Q$public\E/ } @{redis('ZRANGE', $index, 0, -1)}], [],
          'a closed room is in none');
is(redis('HGET', key("r:$public"), 'words'), undef, 'nor lists words');

# many write at once, each without having read the others
my $busy = make(public => 'ann', name => 'Start', topic => 'topic0');
my @writes = map {
    (['PUT', "/v1/rooms/$busy/name", 'ann', { name => "Name$_ word" }],
     ['PUT', "/v1/rooms/$busy/topic", 'ann', { topic => "topic$_ word" }])
} 1 .. 25;

is(scalar(grep { $_->{status} != 200 } many(16, @writes)), 0,
   'nobody who overwrites is refused');

my $now = call('GET', "/v1/rooms/$busy", 'ann')->{data};
my @want = sort map({ "$_ $busy" } split(' ', lc $now->{name}), 'start'),
                map({ "$_ $busy~" } split ' ', $now->{topic});

is_deeply([sort grep { /\Q$busy\E/ && !/^\*/ } @{redis('ZRANGE', $index, 0, -1)}],
          \@want, 'the index has the last name and the last topic, no others');

# scripts without spaces, and names that are one long word
my $cjk = make(public => 'ann', name => '北京中文频道');
my $long = make(public => 'ann', name => 'y' x 128);

is_deeply(found($_), [$cjk], "inside of a word: $_") for '中文', '频', '北京中文频道';
is_deeply(found('京文'), [], 'but not what does not follow');
is_deeply(found('y' x $_), [$long], "$_ letters") for 1, 31, 32, 33, 128;
is_deeply(found('y' x 127 . 'x'), [], 'one letter is another');

# a room is found by each of its words, however many there are: by the index,
# since ann and bob are in too many rooms, and by a look at each of eve's
my @many = map { chr(0x4e00 + $_) } 0 .. 1023;
my $wordy = make(public => 'ann', name => 'Viele', topic => join '', @many);
my $wide = make(public => 'ann', name => 'Weit',
                topic => "\x{fdfa} " x 255 . '1 2 3 letztes nie');
my $most = make(public => 'ann', name => 'Meist',
                topic => join '', map { chr(0x3300 + $_ * 5 % 87) } 1 .. 1024);

make(group => $_) for (qw(ann bob)) x 17;

for my $who (qw(bob eve)) {
    is_deeply(found($_, $who), [$wordy], "$who finds each character")
        for @many[0, 255, 256, 700, 1023], join '', @many[500 .. 600];
    is_deeply(found('letztes', $who), [$wide],
              "$who finds what follows characters that are several words");
    is_deeply(found('nie', $who), [], "... up to 1,024 words: $who");
    is_deeply(found('meist', $who), [$most], "as many as there can be: $who");
}

must('PUT', "/v1/rooms/$wordy/topic", 'ann', { topic => undef });
is_deeply(found($_), [], 'none of them is left') for @many[0, 256, 1023];

# so is a participant, and a DM
must('PUT', '/v1/me', 'eve', { display_name => join '', @many[100 .. 227] });

for my $q (map { escaped($_) } @many[100, 163, 227]) {
    is_deeply([ids(pages("/v1/directory/participants?q=$q", 'bob', 'cursor',
                         50))], ['eve'], 'eve by her name');
    is_deeply([ids(pages("/v1/directory/rooms?q=$q", 'ann', 'cursor', 50))],
              [$dm], 'and the DM with her');
}

# newest first, through pages, also of rooms that are found by several words
my @rooms = map { make(public => 'ann', name => "Serie $_ seriell") } 1 .. 12;

is_deeply([ids(pages('/v1/directory/rooms?q=seri', 'bob', 'cursor', 5))],
          [reverse sort @rooms], 'newest first, each once');
is(call('GET', '/v1/directory/rooms?q=seri&count=true&limit=1', 'bob')
       ->{meta}{total}, 12, 'counted');
is_deeply([ids(pages('/v1/directory/rooms?room_type=public', 'eve', 'cursor',
                     5))],
          [reverse sort($busy, $cjk, $long, $wordy, $wide, $most, @rooms)], 'by type');

# one's own: invites and types
my @mine = map { make(group => 'ann', name => "Mine $_") } 1 .. 60;

must('POST', "/v1/rooms/$mine[30]/invite", 'ann', { participant_id => 'eve' });
is_deeply([ids(pages('/v1/directory/rooms?membership=invite', 'eve', 'cursor',
                     5))], [$mine[30]], 'an invite');
must('POST', "/v1/rooms/$mine[30]/join", 'eve', {});
is_deeply([ids(pages('/v1/directory/rooms?membership=invite', 'eve', 'cursor',
                     5))], [], 'is none any more');
is_deeply([ids(pages('/v1/directory/rooms?room_type=group', 'eve', 'cursor',
                     5))], [$mine[30], $open], 'a room of the type');
must('POST', "/v1/rooms/$mine[30]/leave", 'eve', {});
is_deeply(redis('ZRANGE', key('p:eve:kinds'), 0, -1), ["dm $dm"],
          'who leaves has it in no list');
is_deeply([ids(pages('/v1/directory/rooms?room_type=dm', 'ann', 'cursor', 5))],
          [$dm], 'DMs');

my $workspace = call('GET', "/v1/rooms/$mine[0]", 'ann')->{data}{workspace_id};

is_deeply([ids(pages("/v1/directory/rooms?workspace_id=$workspace&q=offen",
                     'bob', 'cursor', 5))], [$open],
          'of a workspace one sees what one sees');

cmp_ok(commands("/v1/directory/rooms?$_->[0]", $_->[1]), '<', 20,
       "$_->[0] of $_->[1] reads no rooms")
    for ['q=nothing', 'bob'], ['q=nothing%20seri', 'bob'],
        ['room_type=sidekick', 'ann'], ['membership=invite', 'ann'],
        ['room_type=dm', 'ann'], ['room_type=dm', 'bob'];

done_testing();
