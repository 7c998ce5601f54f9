# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What a request costs the store, in commands and in bytes, doesn't grow with
# the tenant: a page reads what it shows.

use strict;
use warnings;
use utf8;

use File::Temp ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

my $most = 1.5;

start('rooms_max_participants 2000;');

sub all_ok {
    for my $res (many(16, @_)) {
        die "$res->{status} $res->{body}\n" if $res->{status} !~ /^20/;
    }
}

# A tenant with so many of everything; the same things in each.
sub seed {
    my ($name, $n) = @_;
    my %it = (tenant => $name);
    my @people = map { sprintf 'p%04d', $_ } 1 .. $n;

    tenant($name);
    known('ann', 'new', @people);

    $it{workspace} = must('POST', '/v1/workspaces', 'ann',
                          { name => 'Team' })->{id};
    all_ok(map { ['POST', '/v1/rooms', 'ann', { room_type => 'group',
                  name => sprintf('Room %04d', $_),
                  workspace_id => $it{workspace} }] } 1 .. $n);
    all_ok(map { ['POST', '/v1/rooms', 'ann', { room_type => 'public',
                  name => sprintf('Hall %04d', $_) }] } 1 .. $n);
    all_ok(map { ['POST', "/v1/workspaces/$it{workspace}/members", 'ann',
                  { participant_id => $_, role => 'viewer' }] } @people);

    $it{room} = make(public => 'ann', name => 'Full', topic => 'x');
    all_ok(map { ['POST', '/v1/rooms/dm', 'ann', { participant_id => $_ }] }
           @people);

    while (my @some = splice @people, 0, 100) {
        must('POST', "/v1/rooms/$it{room}/invite", 'ann',
             { participant_ids => \@some });
        all_ok(map { ['POST', "/v1/rooms/$it{room}/join", $_, {}] } @some);
    }

    all_ok(map { ['POST', "/v1/rooms/$it{room}/send", 'ann',
                  { content => { body => sprintf 'message %04d', $_ } }] }
           1 .. 2 * $n);

    return \%it;
}

# The rows; those that change something do the same each time.
sub rows {
    my ($it) = @_;
    my $room = "/v1/rooms/$it->{room}";
    my $members = "/v1/workspaces/$it->{workspace}/members";

    return (
        ['GET room', 'GET', $room, 'ann'],
        ['directory', 'GET', '/v1/directory/rooms?limit=5', 'ann'],
        ['directory of a stranger', 'GET', '/v1/directory/rooms?limit=5',
         'new'],
        ['directory, q without match, of a stranger', 'GET',
         '/v1/directory/rooms?limit=5&q=zzzz', 'new'],
        ['directory, q without match', 'GET',
         '/v1/directory/rooms?limit=5&q=zzzz', 'ann'],
        ['directory, q of one', 'GET',
         '/v1/directory/rooms?limit=5&q=room+0003', 'ann'],
        ['directory, q of a public one', 'GET',
         '/v1/directory/rooms?limit=5&q=full', 'ann'],
        ['directory, q of a DM', 'GET',
         '/v1/directory/rooms?limit=5&q=p0003', 'ann'],
        ['directory, q and membership', 'GET',
         '/v1/directory/rooms?limit=5&q=0003&membership=join', 'ann'],
        ['directory, q and a type', 'GET',
         '/v1/directory/rooms?limit=5&q=0003&room_type=group', 'ann'],
        ['directory, q and a workspace', 'GET',
         "/v1/directory/rooms?limit=5&q=0003&workspace_id=$it->{workspace}",
         'ann'],
        ['directory, q', 'GET', '/v1/directory/rooms?limit=5&q=room', 'ann'],
        ['directory, q of public ones', 'GET',
         '/v1/directory/rooms?limit=5&q=hall', 'ann'],
        ['directory, q and membership, of many', 'GET',
         '/v1/directory/rooms?limit=5&q=hall&membership=join', 'ann'],
        ['directory, q, of a stranger', 'GET',
         '/v1/directory/rooms?limit=5&q=hall', 'new'],
        ['directory, membership', 'GET',
         '/v1/directory/rooms?limit=5&membership=join', 'ann'],
        ['archived', 'GET', '/v1/rooms/archived?limit=5', 'p0001'],
        ['members', 'GET', "$room/members?limit=5", 'ann'],
        ['messages', 'GET', "$room/messages?limit=5", 'ann'],
        ['messages forward', 'GET',
         "$room/messages?limit=5&direction=forward", 'ann'],
        ['send', 'POST', "$room/send", 'ann', { content => { body => 'x' } }],
        ['send with a key', 'POST', "$room/send", 'ann',
         { content => { body => 'x' } }, 'Idempotency-Key' => 'k%d'],
        ['read', 'PUT', "$room/read", 'p0001', sub {
            return { event_id => must('POST', "$room/send", 'ann',
                              { content => { body => 'y' } })->{id} } }],
        ['join', 'POST', "$room/join", 'new', {}],
        ['leave', 'POST', "$room/leave", 'new', {}],
        ['invite', 'POST', "$room/invite", 'ann',
         { participant_id => 'new' }],
        ['kick', 'POST', "$room/kick", 'ann', { participant_id => 'new' }],
        ['power', 'PUT', "$room/members/p0001/power-level", 'ann',
         { power_level => 1 }],
        ['rename', 'PUT', "$room/name", 'ann', { name => 'Full house' }],
        ['create', 'POST', '/v1/rooms', 'ann',
         { room_type => 'group', name => 'One more' }],
        ['sync from now', 'GET', '/v1/sync?since=now&timeout=0', 'ann'],
        # the first one after a change of the caller's rooms reads their list,
        # for the next ones
        (map { my $timeout = $_;
               ["sync, nothing new, timeout=$timeout", 'GET', sub {
             return "/v1/sync?timeout=$timeout&since="
                    . must('GET', '/v1/sync?since=now&timeout=20',
                           'ann')->{next_cursor} }, 'ann'] } 0, 20),
        # and the first one that begins asks the rooms that are as old as a page
        # reaches; here all of them
        ['sync, begun', 'GET', sub {
             must('GET', '/v1/sync?since=0&limit=5&timeout=0', 'ann');
             return '/v1/sync?since=0&limit=5&timeout=0' }, 'ann'],
        ['workspaces', 'GET', '/v1/workspaces?limit=5', 'ann'],
        ['members of a workspace', 'GET', "$members?limit=5", 'ann'],
    );
}

# Commands, and bytes both ways, of one request.
sub cost {
    my ($row, $n) = @_;
    my ($name, $method, $path, $who, $body, %headers) = @$row;

    $_ = ref eq 'CODE' ? $_->() : $_ for $path, $body;
    s/%d/$n/ for values %headers;

    # what is asked in the background, and by INFO itself, is not its own
    my @before = figures();
    my $res = call($method, $path, $who, $body, %headers);
    my @after = figures();

    die "$name: $res->{status} $res->{body}\n" if $res->{status} !~ /^20/;

    return map { $after[$_] - $before[$_] } 0, 1;
}

sub figures {
    my $stats = redis('INFO', 'commandstats');
    my $calls = 0;

    $calls += $1
        while $stats =~ /^cmdstat_(?!info|ping)\S+?:calls=(\d+)/mg;

    my $net = redis('INFO', 'stats');
    my ($in) = $net =~ /total_net_input_bytes:(\d+)/;
    my ($out) = $net =~ /total_net_output_bytes:(\d+)/;

    return ($calls, $in + $out);
}

# What a request costs: the least of three times, since others ask, too.
sub costs {
    my ($it) = @_;
    my %cost;

    tenant($it->{tenant});
    cost($_) for grep { $_->[1] eq 'GET' } rows($it);

    for my $n (1 .. 3) {
        for my $row (rows($it)) {
            my @now = cost($row, $n);
            my $had = $cost{$row->[0]} //= [@now];

            for (0, 1) {
                $had->[$_] = $now[$_] if $now[$_] < $had->[$_];
            }
        }
    }

    return \%cost;
}

# Whether the large one costs no more than the small one.  INFO's own text is
# longer by some digits: 64 bytes are nothing.
sub no_more {
    my ($big, $small) = @_;

    return !$small || $big->[0] <= $most * $small->[0]
                      && $big->[1] <= $most * $small->[1] + 64;
}

my $large = $ENV{TEST_NGINX_USE_VALGRIND} ? 60 : 300;
my $few = costs(seed('few', 8));
my $many = costs(seed('many', $large));

for my $row (map { $_->[0] } rows({ room => '-', workspace => '-' })) {
    my ($small, $big) = ($few->{$row}, $many->{$row});

    ok(no_more($big, $small),
       "$row: $small->[0] commands and $small->[1] bytes with 8, "
       . "$big->[0] and $big->[1] with $large");
}

# A page of the servers that are known reads what it shows, and a retry its
# own; the policy names at most 1,000 of them.

{
    my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
    my %all;

    open my $out, '>', "$dir/key" or die "$dir/key: $!\n";
    print $out encode_base64('a' x 32, '');
    close $out or die "$dir/key: $!\n";
    chmod 0640, "$dir/key";

    for my $case (['few', 8], ['many', 10 * $large]) {
        my ($name, $n) = @$case;
        my @servers = map { sprintf 's%05d.example', $_ } 1 .. $n;
        my @rows = (['peers', 'GET', '/v1/admin/federation/peers?limit=5',
                     'root!'],
                    ['retry', 'POST', '/v1/admin/federation/peers/'
                     . "$servers[3]/retry", 'root!']);

        start("rooms_federation on; rooms_federation_key $dir/key;"
              . "rooms_tenant $name;");
        tenant($name);
        redis('HSET', key('peers'), map { ($_, 1700000000000) } @servers);
        redis('HSET', key('peers:errors'), map { ($_, '{"code":"x"}') }
                                           @servers);
        redis('HSET', key('outboxes:state'), map { ($_, '1 0') } @servers);
        redis('ZADD', key('peers:names'), map { (0, $_) } @servers);

        # nothing that is due: else another worker's requests are counted
        redis('ZADD', key('outboxes'), map { (9e15, $_) } @servers);
        call(@$_[1 .. 3]) for @rows;

        for my $row (@rows) {
            my @least;

            # a retry also sets the worker going that sends to the servers,
            # whose commands may fall into many of the times
            for my $time (1 .. 40) {
                my @now = cost($row, $time);

                for (0, 1) {
                    $least[$_] = $now[$_]
                        if !defined $least[$_] || $now[$_] < $least[$_];
                }

                last if $time >= 5
                        && no_more(\@least, $all{$row->[0]}{few});
                sleep 0.03;
            }

            $all{$row->[0]}{$name} = \@least;
        }

        redis('DEL', key('outboxes'));
    }

    for my $row (sort keys %all) {
        my ($small, $big) = @{$all{$row}}{qw(few many)};

        ok(no_more($big, $small),
           "$row: $small->[0] commands and $small->[1] bytes with 8 servers, "
           . "$big->[0] and $big->[1] with " . 10 * $large);
    }

    start('rooms_max_participants 2000;');
}

# A page of a sync looks once into each room, and reads what it shows: of 600
# rooms as of 16.

sub following {
    my ($who, $since, $limit) = @_;
    my ($page, @all);

    do {
        $page = must('GET', "/v1/sync?timeout=0&since=$since&limit=$limit",
                     $who);
        push @all, @{$page->{events}};
        $since = $page->{next_cursor};
        die "more than $limit\n" if @{$page->{events}} > $limit;
    } while ($page->{has_more});

    return ($since, map { $_->{stream_position} } @all);
}

# The same positions; what differs first is shown.
sub same {
    my ($what, $want, $got) = @_;
    my ($i) = grep { ($want->[$_] // '') ne ($got->[$_] // '') }
              0 .. (@$want > @$got ? $#$want : $#$got);

    ok(!defined $i, "$what: " . @$want)
        || diag("at $i of " . @$got . ': ' . ($got->[$i] // 'none') . ', not '
                . ($want->[$i] // 'none'));
}

for my $case (['few', 8], ['many', $large]) {
    my ($name, $n) = @$case;

    tenant($name);

    my @rooms = @{redis('ZRANGE', key('p:ann:rooms'), 0, -1)};
    my @all = sort { $a <=> $b }
              map { my $it = redis('ZRANGE', key("r:$_:events"), 0, -1,
                                   'WITHSCORES');
                    @$it[grep { $_ % 2 } 0 .. $#$it] } @rooms;
    my $last = redis('GET', key('position'));

    for my $limit (500, 100, 37) {
        my ($end, @got) = following('ann', 0, $limit);

        same("$name: pages of $limit", [$last, @all], [$end, @got]);
    }

    # what begins in the middle, with and without news in all rooms
    my ($end, @got) = following('ann', $all[@all / 3], 50);

    same("$name: the rest", [$last, @all[@all / 3 + 1 .. $#all]],
         [$end, @got]);

    for my $since (0, $all[-200] // 0) {
        my ($commands) = cost(['sync', 'GET', "/v1/sync?timeout=0&limit=20"
                               . "&since=$since", 'ann']);

        # in each of the page's rooms it asks for the caller's row, and reads
        cmp_ok($commands, '<=', @rooms + 150,
               "$name: a sync from $since in " . @rooms . ' rooms');
    }
}

# a page of the longest names and topics ends at 1 MiB

tenant('long');
known('ann');

my @long = map { $_->{data}{id} }
           many(16, map { ['POST', '/v1/rooms', 'ann',
                           { room_type => 'group',
                             name => "\x{1F600}" x 120 . $_,
                             topic => "\x{1F600}" x 1024 }] } 100 .. 299);
my $page = call('GET', '/v1/directory/rooms?limit=200', 'ann');
my $rest = call('GET', '/v1/directory/rooms?limit=200&cursor='
                       . ($page->{meta}{next_cursor} // ''), 'ann');

cmp_ok(length $page->{body}, '<=', 1024 * 1024 + 8192, 'ends at 1 MiB');
ok($page->{meta}{has_more}, 'and says that there is more');
is(join(',', sort map { $_->{id} } map { @{$_->{data}} } $page, $rest),
   join(',', sort @long), 'none is skipped or shown twice');

done_testing();
