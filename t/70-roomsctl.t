# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# roomsctl verify: every counter and index of a tenant is damaged, found, and
# mended so that the store is again what it was.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle ();
use RoomsTest::Calls;
use RoomsTest::HTTP ();
use RoomsTest::Process qw(slurp wait_for);
use RoomsTest::Roomsctl;
use RoomsTest::Stranger ();
use RoomsTest::Row;

plan skip_all => 'missing: ' . roomsctl_missing() if roomsctl_missing();

tenant('acme');

my ($peer) = RoomsTest::Stranger::around('a.example', 'acme', 'b');
my $json = JSON::PP->new->utf8->canonical;

# All that a tenant has and doesn't change by itself.
# A zset.  The version of a list of rooms isn't known after mending it.
sub listed {
    my ($key) = @_;
    my @all = @{redis('ZRANGE', $key, 0, -1, 'WITHSCORES')};
    my ($at) = grep { $key =~ /:news\z/ && $all[$_] eq 'list' } 0 .. $#all;

    splice @all, $at, 2 if defined $at;

    return \@all;
}

sub store {
    my %all;

    for my $key (@{redis('KEYS', key('*'))}) {
        next if $key =~ /:(?:commit:|idem:|lease:|outbox|peers:errors
                            |peers:reached|peers:names|profiles)/x;

        my $type = redis('TYPE', $key);

        $all{$key} = $type eq 'hash' ? {@{redis('HGETALL', $key)}}
                     # a score is of the moment, less what was left of a day
                     : $key =~ /\}:answers\z/ ? redis('ZRANGE', $key, 0, -1)
                     : $type eq 'zset' ? listed($key)
                     : redis('GET', $key);
    }

    return \%all;
}


# A tenant that has something of everything

call('PUT', '/v1/admin/federation/policy', 'root!',
     { default_mode => 'allowlist', allowed_peers => [$peer->name] });

known(qw(ann bob cat dan eve fay));

my $room = make(public => 'ann', name => 'Zürich plans');

must('POST', "/v1/rooms/$room/join", $_) for qw(bob eve);
must('POST', "/v1/rooms/$room/invite", 'ann', { participant_id => 'cat' });
must('POST', "/v1/rooms/$room/ban", 'ann', { participant_id => 'dan' });
must('PUT', "/v1/rooms/$room/members/bob/power-level", 'ann',
     { power_level => 100 });

my @said = map { must('POST', "/v1/rooms/$room/send", $_->[0],
                      { content => { body => $_->[1] } })->{id} }
           ['ann', 'one'], ['bob', 'two'], ['bob', 'x' x 3000], ['eve', 'gone'];

must('POST', "/v1/rooms/$room/events/$said[0]/reaction", $_,
     { emoji => "\x{1F44D}" }) for qw(ann bob);
must('POST', "/v1/rooms/$room/events/$said[1]/reaction", 'ann',
     { emoji => "\x{2764}" });
must('POST', "/v1/rooms/$room/events/$said[1]/edit", 'bob',
     { content => { body => 'two, edited' } });
must('POST', "/v1/rooms/$room/events/$said[3]/redact", 'eve');
must('PUT', "/v1/rooms/$room/read", 'eve', {
    event_id => must('POST', "/v1/rooms/$room/send", 'bob',
                     { content => { body => 'last' } })->{id} });

must('POST', "/v1/rooms/$room/send", 'ann', { content => { body => 'key' } },
     'Idempotency-Key' => 'k');

my ($answer) = map { /idem:(.*)/ } @{redis('KEYS', key('idem:*'))};

my $dm = make(dm => 'ann', with => 'bob');

must('PUT', "/v1/rooms/$dm/topic", 'ann', { topic => 'Lunch' });

my $secret = make(incognito => 'bob');

admit($secret, 'bob', 'cat');
must('POST', "/v1/rooms/$secret/send", 'bob', { content => { body => 's' } });

my $wiped = make(incognito => 'eve');

admit($wiped, 'eve', 'bob');
must('POST', "/v1/rooms/$wiped/leave", 'eve');

my $space = must('POST', '/v1/workspaces', 'ann', { name => 'Team' })->{id};

must('POST', "/v1/workspaces/$space/members", 'ann',
     { participant_id => 'bob', role => 'editor' });

my $placed = make(group => 'ann', name => 'In a team',
                  workspace_id => $space);
my $emptied = make(group => 'dan', name => 'Emptied');

must('POST', "/v1/rooms/$emptied/leave", 'dan');

my $closed = make(public => 'ann', name => 'Closed');

must('POST', "/v1/rooms/$closed/close", 'ann');

my ($row, $file) = RoomsTest::Bundle::medium('a medium', 'a.txt');
my ($body, $type) = RoomsTest::Bundle::form(RoomsTest::Bundle::bundle(
    RoomsTest::Bundle::manifest(media => [$row]), $file));
my $imported = $json->decode(RoomsTest::HTTP::http_req(
    'POST', '/v1/rooms/import', token('ann'), $body,
    'Content-Type' => $type)->[2])->{data}{id};

must('POST', "/v1/rooms/$imported/send", 'ann', { content => { body => 'n' } });

my $shared = make(group => 'ann', name => 'Shared');

must('PUT', "/v1/admin/rooms/$shared/federate", 'root!', { enabled => true });
must('POST', "/v1/rooms/$shared/invitations", 'ann',
     { fqid => '@zoe:' . $peer->name });

my $b = $peer->name;
my $zoe = "\@zoe:$b";
my $sha = $row->{sha256};

is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'a tenant that nobody damaged');
is(roomsctl_status(), 0, 'status 0');

redis('HSET', key('peers:unaccepted'), 'x.example', 0);

must('POST', '/v1/admin/participants/fay/deactivate', 'root!');
wait_for(60, sub { !defined redis('ZSCORE', key('offboard'), 'fay') })
    or diag('fay is not offboarded');

my $whole = store();

# What is taken away or made wrong: a command, and what verify says to it.
# What is doubled or left behind comes in a second round, since it concerns
# the same keys.
sub round_of {
    my ($name, @damages) = @_;

    redis(@{$_->[0]}) for @damages;

    my $hurt = $json->encode(store());
    my $told = roomsctl('verify', 'acme');

    is(roomsctl_status(), 1, "$name: status 1");

    my @missed = grep { $told !~ /^$_->[1]$/m } @damages;

    ok(!@missed, "$name: each is found")
        || diag("$told\nmissing:\n", map { "$_->[1]\n" } @missed);
    is(scalar(() = $told =~ /\n/g), scalar @damages, 'and nothing else');
    is($json->encode(store()), $hurt, 'looking changes nothing');

    my $mended = roomsctl('verify', '--fix', 'acme');

    is(roomsctl_status(), 1, 'mending tells, too, that something was found');
    is($mended, $told =~ s/$/ (mended)/mgr =~ s/^ \(mended\)\z//mr,
       'it mends what it has found');
    is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
       'nothing is left to mend');
    is(roomsctl_status(), 0, 'status 0');

    my $now = store();

    is_deeply($now, $whole, 'the store is what it was')
        || diag(join "\n", grep { $json->encode([$now->{$_}])
                                  ne $json->encode([$whole->{$_}]) }
                           keys %{{%$now, %$whole}});
}

my $slug = redis('HGET', key("r:$room"), 'alias');
my $thumbs = "$said[0] \xf0\x9f\x91\x8d";
my $place = event_place($said[2]);
my $read = redis('HGET', key("r:$room:own"), 'read eve');
my $bob = redis('HGET', key("r:$room:members"), 'bob') =~ s/ 0\z//r;

round_of('what is missing or wrong',
    [['HINCRBY', key('tenant'), 'rooms', 5], 'tenant has rooms = 12 instead of 7'],
    [['HINCRBY', key('tenant'), 'media_bytes', 3],
     'tenant has media_bytes = 11 instead of 8'],
    [['ZREM', key('answers'), $answer], "answers lacks $answer"],
    [['SET', key('position'), 12], 'position is 12, .*'],
    [['ZADD', key('active'), 7, $room], "active has $room at 7 .*"],
    [['ZREM', key('active'), ' bob'], 'active lacks  bob'],
    [['HDEL', key('deactivated'), 'fay'], 'deactivated has fay = nothing .*'],
    [['HDEL', key('locals'), 'ann'], 'locals has ann = nothing instead of ann'],
    [['HDEL', key('aliases'), $slug], "aliases has $slug = nothing .*"],
    [['ZREM', key('words:rooms'), "*public $room"],
     "words:rooms lacks \\*public $room"],
    [['ZREM', key('words:rooms'), "plans $room"],
     "words:rooms lacks plans $room"],
    [['ZREM', key('words:private'), "team $placed"],
     "words:private lacks team $placed"],
    [['ZREM', key('words:private'), "lunch $dm~"],
     "words:private lacks lunch $dm~"],
    [['ZREM', key('p:bob:kinds'), "public $room"],
     "kinds of bob lacks public $room"],
    [['ZREM', key('p:cat:kinds'), "invite $room"],
     "kinds of cat lacks invite $room"],
    [['ZREM', key('public'), $room], "public lacks $room"],
    [['HDEL', key('dms'), 'ann bob'], "dms has ann bob = nothing .*"],
    [['ZREM', key('p:ann:rooms'), $room], "rooms of ann lacks $room"],
    [['ZREM', key('p:cat:rooms'), $room], "rooms of cat lacks $room"],
    [['ZREM', key('p:dan:rooms'), $emptied], "rooms of dan lacks $emptied"],
    [['ZREM', key('p:bob:workspaces'), $space],
     "workspaces of bob lacks $space"],
    [['ZREM', key('p:bob:news'), "m $room"], "news of bob lacks m $room"],
    [['ZADD', key('p:eve:news'), 3, "r $room"],
     "news of eve has r $room at 3 .*"],
    [['HINCRBY', key("w:$space"), 'owners', 1],
     "workspace $space has owners = 2 instead of 1"],
    [['ZREM', key("w:$space:list"), 'bob'], "workspace $space: list lacks bob"],
    [['ZREM', key("w:$space:rooms"), $placed],
     "rooms of workspace $space lacks $placed"],
    [['HSET', key('blobs'), $sha, 4], "blobs has $sha = 4 instead of 1"],
    [['HSET', key("r:$room"), 'joined', 9], "room $room has joined = 9 .* 3"],
    [['HINCRBY', key("r:$room"), 'invited', -1],
     "room $room has invited = 0 instead of 1"],
    [['HDEL', key("r:$room"), 'admins'],
     "room $room has admins = nothing instead of 2"],
    [['HSET', key("r:$room"), 'position', 1],
     "room $room has position = 1 .*"],
    [['HDEL', key("r:$room"), 'big'], "room $room has big = nothing .* 4096"],
    [['ZREM', key("r:$room:order"), 'bob'], "room $room: order lacks bob"],
    [['ZADD', key("r:$room:order"), 9, 'eve'],
     "room $room: order has eve at 9 .*"],
    [['ZREM', key("r:$room:list"), 'cat'], "room $room: list lacks cat"],
    [['ZREM', key("r:$room:bans"), 'dan'], "room $room: bans lacks dan"],
    [['HSET', key("r:$room"), 'messages', 1],
     "room $room has messages = 1 instead of 6"],
    [['HSET', key("r:$room:members"), 'bob', "$bob 3"],
     "room $room: members has bob = $bob 3 instead of $bob 0"],
    [['HDEL', key("r:$room"), 'redacted'],
     "room $room has redacted = nothing instead of \\d+"],
    [['ZADD', key("r:$room:redacted"), 5, message_name($said[3])],
     "room $room: redacted has " . message_name($said[3]) . ' at 5 .*'],
    [['HSET', key("r:$room:own"), 'read eve', $read =~ s/\d+\z/7/r],
     "room $room: own has read eve = .* 7 instead of $read"],
    [['HSET', key("r:$room:counts"), $thumbs, -7],
     "room $room: counts has $thumbs = -7 instead of -2"],
    [['HDEL', key("r:$room:copies"), $said[1]],
     "room $room: copies has $said[1] = nothing instead of evt-.*"],
    [['HSET', key('seen'), 'ann', 99999], "seen has ann = 99999 instead of .*"],
    [['ZREM', key("r:$room:tally"), $thumbs],
     "room $room: tally lacks $thumbs"],
    [['HDEL', key("r:$shared"), 'peers'],
     "room $shared has peers = nothing instead of $b=1"],
    [['HSET', key("r:$shared"), 'guests', "$b=4"],
     "room $shared has guests = $b=4 instead of $b=1"],
    [['ZREM', key("peers:$b:rooms"), $shared],
     "rooms of server $b lacks $shared"],
    [['ZREM', key('peers:servers'), $b], "servers lacks $b"],
    [['HSET', key('peers:unaccepted'), 'x.example', 2],
     'unaccepted rooms of x.example: 2 instead of 0'],
);

round_of('what is left behind',
    [['ZADD', key('active'), 7, 'room-none'], 'active lists room-none'],
    [['ZADD', key('early'), 0, 'room-none'], 'early lists room-none'],
    [['ZADD', key('active'), 7, ' nobody'], 'active lists  nobody'],
    [['ZADD', key('answers'), time() * 1000, 'ghost'], 'answers lists ghost'],
    [['HSET', key('locals'), 'gone', 'ghost'], 'locals has gone = ghost'],
    [['ZADD', key('words:rooms'), 0, "plans $closed"],
     "words:rooms lists plans $closed"],
    [['ZADD', key('words:rooms'), 0, "other $room"],
     "words:rooms lists other $room"],
    [['ZADD', key('words:private'), 0, "emptied $emptied"],
     "words:private lists emptied $emptied"],
    [['ZADD', key('words:private'), 0, "other $placed"],
     "words:private lists other $placed"],
    [['ZADD', key('words:private'), 0, "plans $room"],
     "words:private lists plans $room"],
    [['ZADD', key('words:private'), 0, "*group $placed"],
     "words:private lists \\*group $placed"],
    [['ZADD', key('words:rooms'), 0, "team $placed"],
     "words:rooms lists team $placed"],
    [['ZADD', key('p:bob:kinds'), 0, "invite $room"],
     "kinds of bob lists invite $room"],
    [['ZADD', key('p:eve:kinds'), 0, "group $placed"],
     "kinds of eve lists group $placed"],
    [['HSET', key('seen'), 'ghost', 5], 'seen has ghost = 5'],
    [['HSET', key("r:$room:uuids"), 'ann lost', 'evt-0000000000006'
      . '0' x 16], "room $room: uuids has ann lost = evt-.*"],
    [['HSET', key("r:$room:copies"), $said[3], 'evt-1'],
     "room $room: copies has $said[3] = evt-1"],
    [['ZADD', key('words:people'), 0, 'gho ghost'],
     'words:people lists gho ghost'],
    [['HSET', key('deactivated'), 'ghost', 5], 'deactivated has ghost = 5'],
    [['ZADD', key('offboard'), 9 ** 15, 'ghost'], 'offboard lists ghost'],
    [['ZADD', key('offboard'), 9 ** 15, 'fay'], 'offboard lists fay'],
    [['HSET', key('aliases'), 'old', $room], "aliases has old = $room"],
    [['HSET', key('aliases'), 'closed', $closed],
     "aliases has closed = $closed"],
    [['ZADD', key('public'), 0, $closed], "public lists $closed"],
    [['ZADD', key('public'), 0, $placed], "public lists $placed"],
    [['HSET', key('dms'), 'ann cat', $dm], "dms has ann cat = $dm"],
    [['ZADD', key('p:eve:rooms'), 0, $placed], "rooms of eve lists $placed"],
    [['ZADD', key('p:ann:news'), 5, 'list'], 'news of ann lists list'],
    [['ZADD', key('p:cat:workspaces'), 0, $space],
     "workspaces of cat lists $space"],
    [['ZADD', key('p:ann:news'), 5, "r $placed"],
     "news of ann lists r $placed"],
    [['ZADD', key("w:$space:list"), 0, 'eve'],
     "workspace $space: list lists eve"],
    [['ZADD', key("w:$space:rooms"), 0, $room],
     "rooms of workspace $space lists $room"],
    [['HSET', key('blobs'), 'ab' x 32, 2], 'blobs has (?:ab){32} = 2 .* 0'],
    [['ZADD', key("r:$room:order"), (101 * 2 ** 44), 'ghost'],
     "room $room: order lists ghost"],
    [['ZADD', key("r:$room:list"), 0, 'dan'], "room $room: list lists dan"],
    [['ZADD', key("r:$room:bans"), 0, 'ann'], "room $room: bans lists ann"],
    [['HSET', key("r:$room:own"), 'mode ghost', 'all'],
     "room $room: own has mode ghost = all"],
    [['ZADD', key("r:$room:redacted"), event_place($said[2]),
      message_name($said[2])],
     "room $room: redacted lists " . message_name($said[2])],
    [['ZADD', key("r:$room:redacted"), 6, '0000000000006'],
     "room $room: redacted lists 0000000000006"],
    [['HSET', key("r:$room"), 'redacted', 'x'],
     "room $room has redacted = x instead of \\d+"],
    [['HSET', key("r:$room:own"), 'read eve', $read =~ s/ \d+\z//r],
     "room $room: own has read eve = .* instead of $read"],
    [['HSET', key("r:$room:own"), 'read cat', '0 - 0'],
     "room $room: own has read cat = 0 - 0"],
    [['ZADD', key("r:$room:reactions"), 0, "$said[3] ann x"],
     "room $room: reactions lists $said[3] ann x"],
    [['ZADD', key("r:$room:tally"), 0, "$said[2] x"],
     "room $room: tally lists $said[2] x"],
    [['HSET', key("r:$room:counts"), "$said[2] y", -3],
     "room $room: counts has $said[2] y = -3"],
    [['HSET', key("r:$placed"), 'peers', 'x.example=2'],
     "room $placed has peers = x.example=2"],
    [['ZADD', key("peers:$b:rooms"), 0, $room],
     "rooms of server $b lists $room"],
    [['ZADD', key('imports'), 9 ** 15, 'room-none'], 'imports lists room-none'],
);

# these lists change by themselves here: they are looked at alone
redis('ZADD', key('outbox:y.example'), 1, 's room-x');
redis('ZADD', key('outbox:u.example'), 1, 's room-x');
redis('ZADD', key('outboxes'), 9 ** 15, $_) for qw(u.example z.example);
redis('HSET', key('peers'), 'w.example', 5);
redis('HSET', key('peers:errors'), 'v.example', '{}');
redis('HSET', key('r:room-y:media'), 'med-x', 'x');

my $told = roomsctl('verify', '--fix', 'acme');

like($told, qr/^outboxes lacks y\.example \(mended\)$/m, 'a lost outbox');
like($told, qr/^outboxes lists z\.example \(mended\)$/m, 'an empty one');
like($told, qr/^imports lacks room-y \(mended\)$/m, 'a lost journal');
like($told, qr/^names of servers lacks $_\.example \(mended\)$/m,
     "a server that the list of them lacks: $_") for qw(u v w);
redis('DEL', key('r:room-y:media'));
redis('ZREM', key('imports'), 'room-y');
redis('HDEL', key('peers'), 'w.example');
redis('HDEL', key('peers:errors'), 'v.example');
redis('DEL', map { key("outbox:$_.example") } qw(u y));
redis('ZREM', key('outboxes'), qw(u.example y.example));

# who was deactivated, and isn't done
my $left = redis('HGET', key('p:fay:offboard'), 'left_at');

redis('HDEL', key('p:fay:offboard'), 'left_at');
like(roomsctl('verify', 'acme'), qr/^offboard lacks fay$/m, 'an offboarding');
redis('HSET', key('p:fay:offboard'), 'left_at', $left);

# readers keep a list of rooms as long as it has a version
redis('ZADD', key('p:cat:news'), redis('GET', key('position')), 'list');
redis('ZREM', key('p:cat:rooms'), $room);
is(roomsctl('verify', '--fix', 'acme'),
   "rooms of cat lacks $room (mended)\n", 'a list that readers keep');
is(redis('ZSCORE', key('p:cat:news'), 'list'), undef, 'it has a new version');

# answers of yesterday are removed by and by
redis('ZADD', key('answers'), 5, 'old');
is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'an answer that has ended');
redis('ZREM', key('answers'), 'old');

# what follows from a name by rules of Unicode is told, and not mended
my @words = grep { / bob\z/ } @{redis('ZRANGE', key('words:people'), 0, -1)};

redis('ZREM', key('words:people'), @words);
like(roomsctl('verify', '--fix', 'acme'),
     qr/^words:people lacks bob \(can't be mended here/m, 'words');
redis('ZADD', key('words:people'), map { (0, $_) } @words);

for my $field ('words', 'topic_words') {
    my $of = $field eq 'words' ? $placed : $dm;
    my $list = redis('HGET', key("r:$of"), $field);

    redis('HDEL', key("r:$of"), $field);
    like(roomsctl('verify', 'acme'),
         qr/^room $of: no words of its \w+ are listed \(can't be mended\)$/m,
         "a room without $field");
    redis('HSET', key("r:$of"), $field, $list);
}

# what other programs make is in no index of words, and in the lists of kinds
redis('HSET', key("r:$placed"), 'meta',
      redis('HGET', key("r:$placed"), 'meta') =~ s/^group/bridge/r);
redis('ZREM', key('p:ann:kinds'), "group $placed");

like(roomsctl('verify', 'acme'), qr/^kinds of ann lacks bridge $placed$/m,
     'a room of another program that is in no list of kinds');
like(roomsctl('verify', 'acme'), qr/^words:private lists team $placed$/m,
     'and in the index of words');
redis('HSET', key("r:$placed"), 'meta',
      redis('HGET', key("r:$placed"), 'meta') =~ s/^bridge/group/r);
redis('ZADD', key('p:ann:kinds'), 0, "group $placed");
is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'words and kinds');

# imported reactions only count: nobody here has them
redis('ZADD', key("r:$imported:tally"), 0, 'x');
redis('ZREM', key("r:$imported:tally"), 'x');

my ($first) = @{redis('ZRANGE', key("r:$imported:events"), 0, 0)};
my $old = row_event($first)->{id};

redis('ZADD', key("r:$imported:tally"), 0, "$old +");
redis('HSET', key("r:$imported:counts"), "$old +", -12);
is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'imported reactions');
redis('HDEL', key("r:$imported:counts"), "$old +");
like(roomsctl('verify', 'acme'),
     qr/^room $imported: tally lists \Q$old\E \+$/m, 'without a count');
redis('ZREM', key("r:$imported:tally"), "$old +");

# an author whom an imported event names is nowhere else
my ($n, $author) = @{redis('HGETALL', key("r:$imported:authors"))};

redis('HDEL', key("r:$imported:authors"), $n);
like(roomsctl('verify', 'acme'),
     qr/^room $imported: authors lacks $n \(can't be mended\)$/m, 'an author');
redis('HSET', key("r:$imported:authors"), $n, $author);

# an event of another server is found by its name there
my $foreign = redis('ZRANGEBYSCORE', key("r:$room:events"), $place, $place)
              ->[0];

redis('ZREM', key("r:$room:events"), $foreign);
redis('ZADD', key("r:$room:events"), $place,
      $foreign =~ s/\{/ievt-there s$b {/r);
like(roomsctl('verify', '--fix', 'acme'),
     qr/^room \Q$room\E: uuids has  $b evt-there = nothing .* $said[2] \(/m,
     'the name of an event of another server');
is(redis('HGET', key("r:$room:uuids"), " $b evt-there"), $said[2], 'mended');
redis('HDEL', key("r:$room:uuids"), " $b evt-there");

# what another server told may have become no event: that it was told is kept
redis('HSET', key("r:$room:uuids"), " $b evt-told", 'evt-0000000000006'
      . '0' x 16);
redis('ZREMRANGEBYSCORE', key("r:$room:events"), $place, $place);
redis('ZADD', key("r:$room:events"), $place, $foreign);
is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'what was told is no fault');
redis('HDEL', key("r:$room:uuids"), " $b evt-told");

# readers are told which rooms have events, or places for them, that are older
# than the room's id
my ($oldest) = @{redis('ZRANGE', key("r:$placed:events"), 0, 0)};

$oldest =~ s/\A[0-9a-f]{13}/0000000000005/;

for my $case (['HSET', 'HDEL', key("r:$placed"), 'history', '5 9'],
              ['ZADD', 'ZREM', key("r:$placed:events"), 5, $oldest])
{
    my ($add, $remove, $in, @what) = @$case;

    redis($add, $in, @what);
    is(roomsctl('verify', '--fix', 'acme'), "early lacks $placed (mended)\n",
       "a room with older $what[0]");
    is(redis('ZSCORE', key('early'), $placed), 0, 'mended');
    redis($remove, $in, $add eq 'HSET' ? $what[0] : $what[1]);
    redis('ZREM', key('early'), $placed);
}

# a room of more members and messages than a step looks at
my $script = <<'END';
local k, id, n = KEYS[1], ARGV[1], tonumber(ARGV[2])
local p = string.match(k, '^(.*)r:')
local at = tonumber(redis.call('GET', p .. 'position'))
for i = 1, n do
  local who = 'many' .. i
  at = at + 1
  local s = string.format('%.0f', at)
  redis.call('HSET', k .. ':members', who, 'join 0 1700000000000 ' .. s)
  redis.call('ZADD', k .. ':list', 0, who)
  redis.call('ZADD', k .. ':order', string.format('%.0f', 2^44 - at), who)
  redis.call('ZADD', p .. 'p:' .. who .. ':rooms', 0, id)
  redis.call('ZADD', p .. 'p:' .. who .. ':kinds', 0, 'group ' .. id)
  redis.call('ZADD', p .. 'p:' .. who .. ':news', s, 'm ' .. id)
  redis.call('ZADD', p .. 'active', s, ' ' .. who)
end
redis.call('HINCRBY', k, 'joined', n)
redis.call('SET', p .. 'position', string.format('%.0f', at))
END

redis('EVAL', $script, 1, key("r:$placed"), $placed, 700);
is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'a room that takes many steps');
redis('ZREM', key("r:$placed:order"), map { "many$_" } 100 .. 109);
redis('ZREM', key("r:$placed:list"), map { "many$_" } 105 .. 114);
redis('HINCRBY', key("r:$placed"), 'joined', 1);
$told = roomsctl('verify', 'acme');
is(() = $told =~ /^room $placed: order lacks many1\d\d$/mg, 10, 'its order');
is(() = $told =~ /^room $placed: list lacks many1\d\d$/mg, 10, 'its list');
like($told, qr/^room $placed has joined = 702 instead of 701$/m,
     'its counter');
roomsctl('verify', '--fix', 'acme');
is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n", 'mended');

# what nothing can mend is told
my $third = redis('ZRANGEBYSCORE', key("r:$room:events"), $place, $place)->[0];

redis(@$_) for
    ['HSET', key("r:$placed:members"), 'many1', 'rubbish'],
    ['ZADD', key("r:$placed:events"), 7, 'rubbish'],
    ['HSET', key("r:$imported:authors"), 99, 'rubbish'],
    ['HSET', key("r:$room:own"), 'read ann', 'rubbish'],
    ['ZREM', key("r:$room:events"), $third],
    ['ZADD', key("r:$room:events"), $place, $third =~ s/ n3 / n9 /r],
    ['HSET', key('participants'), 'zed', 'rubbish'],
    ['HSET', key('participants'), 'ben', redis('HGET', key('participants'), 'bob')],
    ['HSET', key('deactivated'), 'ann', 5],
    ['HSET', key('media'), 'med-x', 'rubbish'];

$told = roomsctl('verify', '--fix', 'acme');
is(roomsctl_status(), 1, 'what is unreadable: status 1');
like($told, qr/^\Q$_\E .*\(can't be mended/m, "it is told: $_")
    for "room $placed: the row of many1 is unreadable",
        "room $placed: the event at 7 is unreadable",
        "room $imported: authors has an unreadable row 99",
        "room $room: the read marker of ann is unreadable",
        "room $room: the number of $said[2] isn't 3",
        'participants: the row of zed is unreadable',
        'locals: ben and bob are both bob',
        'deactivated: ann is, and the row says otherwise:',
        'media: the row of med-x is unreadable';

# nothing to look at, and no way to
like(roomsctl('verify', 'nobody'), qr/no tenant "nobody"/, 'no such tenant');
is(roomsctl_status(), 2, 'status 2');
like(roomsctl('verify'), qr/can't be a tenant/, 'no tenant');
is(roomsctl_status(), 2, 'status 2');
like(roomsctl('verify', 'a*'), qr/can't be a tenant/, 'no pattern');
redis('HSET', key('tenant'), 'schema', '99');
like(roomsctl('verify', '--fix', 'acme'), qr/schema "99"/, 'another schema');
is(roomsctl_status(), 2, 'status 2');
like(roomsctl('-u', 'redis://127.0.0.1:1/0', 'verify', 'acme'),
     qr/Could not connect|refused/, 'no store');
is(roomsctl_status(), 2, 'status 2');

my ($known) = slurp('pkg/roomsctl/roomsctl') =~ /^known_schema=(\d+)/m;
my ($module) = slurp('src/store/ngx_rooms_commit.h')
               =~ /NGX_ROOMS_SCHEMA\s+"(\d+)"/;

is($known, $module, 'the schema is the one of the module');

done_testing();
