# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Searching rooms, compared with a model: rooms, names, topics and memberships
# change at random, and each query has to find what a look at all rooms finds.

use strict;
use warnings;
use utf8;

use JSON::PP ();
use Test::More;
use Unicode::Normalize qw(NFC NFKD);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Roomsctl;

my $rounds = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 12;

seeded(1);

my @people = qw(ann bob cat dan eve few);
my @words = ('Plan', 'Planet', 'plane', 'Straße', 'ÄRGER', "cafe\x{301}",
             'Łódź', '北京中文', '中国', 'ﬁnance', 'x', 'Y2K', 'Anna', 'Ann',
             'Smith', 'Zoë', map { "Einmal$_" } 1 .. 40);
my %dense = (ann => 'Dicht', bob => 'Dick');
my $json = JSON::PP->new->utf8;
my (%rooms, %names);

# others, who are in few rooms, have names of the same words
my @crowd = map { "p$_" } 10 .. 39;

start();
known(@people, @crowd, 'stranger');

sub one_of { return $_[rand @_] }
sub text { return join ' ', map { one_of(@words) } 1 .. 1 + rand 3 }

# Many rooms of some have a word in common.
sub name_by {
    my ($who) = @_;

    return $dense{$who} && rand() < 0.9 ? text() . " $dense{$who}" : text();
}

# The words of a text: in Chinese each character begins one.
sub folded {
    my ($text) = @_;
    my $plain = NFKD($text // '') =~ s/\p{Mn}//gr =~ s/[ßẞ]/ss/gr
                =~ s/[Łł]/l/gr;

    return map { my $word = $_;
                 $word =~ /\p{Han}/
                 ? map({ substr $word, $_ } 0 .. length($word) - 1) : $word }
           split ' ', lc $plain =~ s/[^\p{L}\p{N}]+/ /gr;
}

# What the store says of a room, whoever has changed it.
sub look {
    my ($id) = @_;
    my %row = @{redis('HGETALL', key("r:$id"))};
    my %rows = @{redis('HGETALL', key("r:$id:members"))};
    my @meta = split ' ', $row{meta};

    utf8::decode($_) for grep { defined } @row{qw(name topic alias)};

    $rooms{$id} = {
        id => $id, type => $meta[0], public => $meta[2],
        pair => [@meta[6, 7]], state => $row{state},
        workspace => $row{workspace} // '',
        words => [map { folded($_) } @row{qw(name topic alias)}],
        members => { map { $_ => $rows{$_} =~ s/ .*//r } keys %rows },
    };
}

sub wanted {
    my ($who, $q, %f) = @_;
    my @wanted = folded($q);
    my @found;

    for my $room (map { $rooms{$_} } reverse sort keys %rooms) {
        my $is = $room->{members}{$who} // '';
        my @has = @{$room->{words}};

        push @has, folded($names{(grep { $_ ne $who } @{$room->{pair}})[0]})
            if $room->{type} eq 'dm';

        next if $room->{state} ne 'open';
        next if $is !~ /^(?:join|invite)$/ && !$room->{public};
        next if $f{membership} && $f{membership} ne $is;
        next if $f{room_type} && $f{room_type} ne $room->{type};
        next if $f{workspace_id} && $f{workspace_id} ne $room->{workspace};
        next if grep { my $w = $_; !grep { index($_, $w) == 0 } @has } @wanted;

        push @found, $room->{id};
    }

    return \@found;
}

sub escaped {
    my ($q) = @_;

    utf8::encode($q);

    return $q =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
}

# A prefix of a word, in some other form.
sub query {
    my $q = join ' ', map {
        my $word = rand() < 0.25 ? one_of(values %dense)
                                 : NFC(one_of(@words, values %names));

        $word = substr $word, 0, 1 + rand length $word;
        rand() < 0.3 ? uc $word : rand() < 0.3 ? NFKD($word) : $word;
    } 1 .. one_of(1, 1, 1, 2, 2, 3);

    return $q;
}

my ($asked, $some) = (0, 0);
my (@wrong, %space);

sub compare {
    my ($who, $q, %f) = @_;
    my $path = join '&', '/v1/directory/rooms?q=' . escaped($q),
                    map { "$_=$f{$_}" } sort keys %f;
    my $want = wanted($who, $q, %f);
    my $limit = one_of(1, 3, 7, 50, 200);

    return if !folded($q);

    my $got = [ids(pages($path, $who, 'cursor', @$want > 20 ? 50 : $limit))];
    my $total = call('GET', "$path&count=true&limit=1", $who)->{meta}{total};

    $asked++;
    $some++ if @$want;
    push @wrong, "$who: $path\n  wanted " . join(' ', @$want) . "\n  got "
                 . join(' ', @$got) . "\n  total " . ($total // 'none')
        if "@$want" ne "@$got" || @$want != ($total // -1);
}

sub queries {
    my ($n) = @_;

    for (1 .. $n) {
        my $who = one_of(@people, 'stranger');
        my %f;

        $f{membership} = one_of(qw(join invite)) if rand() < 0.25;
        $f{room_type} = one_of(qw(group public incognito dm sidekick bridge))
            if rand() < 0.25;
        $f{workspace_id} = one_of(values %space) if rand() < 0.2;
        compare($who, query(), %f);
    }
}

# Each room is one's own, or a public one.  A refused call is one, too.
sub change {
    my $who = one_of(@people[0 .. 4]);
    my $other = one_of(@people[0 .. 4]);
    my $id = one_of(sort keys %rooms);
    my ($what) = one_of(
        ['PUT', 'name', { name => text() }],
        ['PUT', 'name', { name => text() }],
        ['PUT', 'topic', { topic => rand() < 0.2 ? undef : text() }],
        ['PUT', 'topic', { topic => text() }],
        ['PUT', 'workspace', { workspace_id => $space{$who} }],
        ['POST', 'close', {}], ['POST', 'archive', {}],
        ['POST', 'rejoin', {}], ['POST', 'rejoin', {}],
        map({ ['POST', $_, { participant_id => $other }] }
            qw(invite invite invite kick ban unban)),
        ['POST', 'join', {}], ['POST', 'join', {}], ['POST', 'leave', {}],
    );

    call($what->[0], "/v1/rooms/$id/$what->[1]", $who, $what->[2]);
    look($id);

    return $id;
}

# Pages with changes in between: what stood still is shown once.
sub paged {
    my ($who, $q) = @_;
    my %before = map { $_ => 1 } @{wanted($who, $q)};
    my ($cursor, %seen, %changed);

    for (1 .. 500) {
        my $res = call('GET', '/v1/directory/rooms?limit=' . one_of(1, 5, 20)
                       . '&q=' . escaped($q)
                       . ($cursor ? "&cursor=$cursor" : ''), $who);

        $seen{$_}++ for ids(@{$res->{data}});
        last if !$res->{meta}{has_more};
        $cursor = $res->{meta}{next_cursor};
        $changed{change()} = 1 for 1 .. 3;
        create($who) if rand() < 0.3;
    }

    my %after = map { $_ => 1 } @{wanted($who, $q)};
    my @lost = grep { $after{$_} && !$changed{$_} && !$seen{$_} } keys %before;
    my @twice = grep { $seen{$_} > 1 } keys %seen;
    my @more = grep { !$before{$_} && !$after{$_} && !$changed{$_} } keys %seen;

    $asked++;
    push @wrong, "$who, $q, in pages: lost @lost; twice @twice; more @more"
        if @lost || @twice || @more;
}

sub create {
    my ($who) = @_;
    my $type = one_of(qw(group group group public incognito dm));
    my $res;

    if ($type eq 'dm') {
        $res = call('POST', '/v1/rooms/dm', $who, { participant_id =>
                    one_of(grep { $_ ne $who } @people, @crowd[0 .. 9]) });

    } else {
        $res = call('POST', '/v1/rooms', $who, {
            room_type => $type, name => name_by($who),
            rand() < 0.4 ? (topic => name_by($who)) : (),
            $type eq 'group' && rand() < 0.2 ? (is_public => true) : (),
            $type eq 'group' && rand() < 0.3
            ? (workspace_id => $space{$who}) : () });
    }

    die "$type: $res->{body}\n" if $res->{status} !~ /^20/;
    look($res->{data}{id});
}

# As a program does that makes rooms of its own: no index has their words.
sub made_elsewhere {
    my ($type) = @_;
    my ($id) = grep { $rooms{$_}{type} eq 'group' && !$rooms{$_}{public}
                      && $rooms{$_}{state} eq 'open' } reverse sort keys %rooms;
    my $row = key("r:$id");

    redis('ZREM', key('words:private'),
          map({ "$_ $id" } split / /, redis('HGET', $row, 'words')),
          map({ "$_ $id~" } split / /, redis('HGET', $row, 'topic_words')
                                       // ''));
    redis('HDEL', $row, 'words', 'topic_words');
    redis('HSET', $row, 'meta', redis('HGET', $row, 'meta')
                                =~ s/^group/$type/r);

    for my $who (grep { $rooms{$id}{members}{$_} =~ /^(?:join|invite)/ }
                 keys %{$rooms{$id}{members}}) {
        redis('ZREM', key("p:$who:kinds"), "group $id");
        redis('ZADD', key("p:$who:kinds"), 0, "$type $id");
    }

    look($id);
}

sub rename_people {
    for my $who (@_) {
        $names{$who} = NFC(text());
        must('PUT', '/v1/me', $who, { display_name => $names{$who} });
    }
}

$space{$_} = must('POST', '/v1/workspaces', $_, { name => 'Team' })->{id}
    for @people;
rename_people(@people, @crowd);
create('few') for 1 .. 5;
create('ann') for 1 .. 260;
create('bob') for 1 .. 160;
create(one_of(@people[0 .. 4])) for 1 .. 100;

for (1 .. $rounds) {
    create(one_of(@people[0 .. 4])) for 1 .. 12;
    change() for 1 .. 80;
    rename_people(one_of(@people), one_of(@crowd));
    made_elsewhere(one_of(qw(sidekick bridge))) if $_ % 3 == 1;
    queries(70);
    paged(one_of('ann', 'bob', 'cat'), one_of(values %dense, query()));
}

# with a last look at what no random word finds
compare($_, 'nothing') for @people;
compare($_, 'Einmal') for @people;

ok(!@wrong, "$asked queries, $some of them with rooms, found what the model "
            . 'says') || diag(join "\n", @wrong[0 .. ($#wrong > 4 ? 4 : $#wrong)]);
cmp_ok($some, '>', $asked / 5, 'not only queries without rooms');
like(redis('INFO', 'commandstats'), qr/cmdstat_zmscore:calls=[1-9]\d\d/,
     'the index was used');

SKIP: {
    skip('no roomsctl', 1) if roomsctl_missing();
    is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
       'the indexes are right');
}

# A participant with very many rooms of one name makes nobody else's search
# dearer than a walk through the searcher's own rooms.

sub figures {
    my $stats = redis('INFO', 'commandstats');
    my ($out) = redis('INFO', 'stats') =~ /total_net_output_bytes:(\d+)/;
    my $calls = 0;

    $calls += $1 while $stats =~ /^cmdstat_(?!info|ping)\S+?:calls=(\d+)/mg;

    return ($calls, $out);
}

sub cost {
    my ($q, $who) = @_;
    my @idle = (figures(), figures());
    my @before = figures();
    my $found = call('GET', "/v1/directory/rooms?q=$q&limit=5", $who)->{data};
    my @after = figures();

    return ($after[0] - $before[0],
            $after[1] - $before[1] - ($idle[3] - $idle[1]), scalar @$found);
}

for my $case (['zebra', 20_000], ['yak', 1_500], ['wolf', 20]) {
    my ($word, $n) = @$case;
    my $left = $n;

    while ($left > 0) {
        redis('ZADD', key('words:private'),
              map { (0, sprintf '%s room-%026d', $word, $left - $_) }
              0 .. ($left < 1000 ? $left : 1000) - 1);
        $left -= 1000;
    }

    my $own = redis('ZCARD', key('p:ann:rooms'));
    my ($commands, $bytes, $found) = cost($word, 'ann');

    is($found, 0, "$word: none is seen");
    is($commands, (cost('unheard', 'ann'))[0], "$word: as many commands as "
       . 'for a word that no room has') if $n < $own;
    cmp_ok($commands, '<=', $n > $own ? 1.2 * $own + 40 : 15,
           "$word: $n entries of others, $own rooms: $commands commands");
    ($commands, $bytes) = cost($word, 'stranger');
    cmp_ok($commands, '<=', 15, "$word: a stranger's, $commands");
    cmp_ok($bytes, '<=', 2000, "$word: $bytes bytes");
}

# Entries of one word are compared with one's own rooms page by page, and a
# request ends after 2,000 of them.

my $lynx = make(group => 'stranger', name => 'Lynx');
my @others = map { sprintf 'room-z%025d', $_ } 1 .. 2600;
my @mine = map { sprintf 'room-y%025d', $_ } 1 .. 3000;

redis('ZADD', key('words:private'), map { (0, "lynx $_") } @others);
redis('ZADD', key('p:stranger:rooms'), map { (0, $_) } @mine);

my ($most, $cursor, @seen) = (0);

for my $page (1 .. 20) {
    my @before = figures();
    my $res = call('GET', '/v1/directory/rooms?limit=5&q=lynx'
                   . ($cursor ? "&cursor=$cursor" : ''), 'stranger');
    my $commands = (figures())[0] - $before[0];

    $most = $commands if $commands > $most;
    push @seen, ids(@{$res->{data}});
    last if !$res->{meta}{has_more};
    $cursor = $res->{meta}{next_cursor};
}

is("@seen", $lynx, 'behind many rooms of others, and many of one\'s own');
cmp_ok($most, '<=', 100, "a page takes $most commands");

done_testing();
