# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Edit, redact and react: who may, what is kept, what is wiped from the
# store, and that unread counts stay right.

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

admit($room, 'ann', 'bob', 'cy=50');
call('POST', "$path/invite", 'ann', { participant_id => 'dan' });

sub say_it {
    my ($who, $text, %headers) = @_;

    return must('POST', "$path/send", $who, { content => { body => $text } },
                %headers)->{id};
}

sub unread { return call('GET', $path, $_[0])->{data}{me}{unread_count} }

# The event as history shows it.
sub shown {
    my ($id) = @_;
    my ($event) = grep { $_->{id} eq $id } events($room, 'ann');

    return $event;
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

# reactions on messages: how many of each, and whether one's own is among them

my $talk = make(group => 'ann', name => 'Talk');
my $list = "/v1/rooms/$talk/messages";

admit($talk, 'ann', 'bob', 'cy');

my @said = map { must('POST', "/v1/rooms/$talk/send", 'ann',
                      { content => { n => $_ } })->{id} } 1 .. 3;

sub react {
    my ($who, $n, $emoji, $method) = @_;

    must($method // 'POST', "/v1/rooms/$talk/events/$said[$n]/reaction", $who,
         { emoji => $emoji });
}

# Of each message that has a body: its reactions as text.
sub reactions {
    my ($who) = @_;

    return [map { join ' ', map { "$_->{emoji}=$_->{count}"
                                  . ($_->{me} ? '*' : '') }
                            @{$_->{reactions}} }
            grep { $_->{content}{n} }
            @{call('GET', "$list?direction=forward&limit=200", $who)->{data}}];
}

is_deeply(reactions('ann'), ['', '', ''], 'no reactions');
react('ann', 0, 'a');
react('bob', 0, 'a');
react('bob', 0, 'b');
react('cy', 2, 'x y');
is_deeply(reactions('ann'), ['a=2* b=1', '', 'x y=1'], 'counted');
is_deeply(reactions('bob'), ['a=2* b=1*', '', 'x y=1'], 'for each reader');
is_deeply(reactions('cy'), ['a=2 b=1', '', 'x y=1*'], 'as it is');
is_deeply([map { $_->{reactions} ? scalar @{$_->{reactions}} : () }
           @{call('GET', "$list?limit=200", 'ann')->{data}}], [1, 0, 2],
          'back, too, on messages alone');
is_deeply(call('GET', "/v1/rooms/$talk/events/$said[0]", 'bob')
          ->{data}{reactions},
          [{ emoji => 'a', count => 2, me => true },
           { emoji => 'b', count => 1, me => true }], 'on one event');

react('bob', 0, 'a');
is_deeply(reactions('cy'), ['a=2 b=1', '', 'x y=1*'],
          'one of each sender and emoji');
react('bob', 0, 'a', 'DELETE');
react('bob', 0, 'a', 'DELETE');
is_deeply(reactions('bob'), ['a=1 b=1*', '', 'x y=1'], 'taken back');
react('bob', 0, 'b', 'DELETE');
is_deeply(reactions('bob'), ['a=1', '', 'x y=1'], 'the last of them');
is_deeply([sort @{redis('ZRANGE', key("r:$talk:tally"), 0, -1)}],
          ["$said[0] a", "$said[2] x y"], 'leaves nothing');
is(redis('HLEN', key("r:$talk:counts")), 2, 'in neither key');

# an edit keeps them, a redaction takes them along
must('POST', "/v1/rooms/$talk/events/$said[0]/edit", 'ann',
     { content => { n => 9 } });
is_deeply(reactions('bob'), ['a=1', '', 'x y=1'], 'edited');
must('POST', "/v1/rooms/$talk/events/$said[0]/redact", 'ann', {});
is_deeply(call('GET', "/v1/rooms/$talk/events/$said[0]", 'bob')
          ->{data}{reactions}, [], 'redacted');
is_deeply([redis('ZRANGE', key("r:$talk:tally"), 0, -1),
           redis('HKEYS', key("r:$talk:counts"))],
          [["$said[2] x y"], ["$said[2] x y"]], 'and nothing is left of it');

# many at once: exact
my @crowd = map { "p$_" } 1 .. 20;

known(@crowd);
admit($talk, 'ann', @crowd);
many(20, map { ['POST', "/v1/rooms/$talk/events/$said[1]/reaction", $_,
                { emoji => 'm' }] } @crowd);
is_deeply(reactions('p1'), ['m=20*', 'x y=1'], 'twenty at once');

my @back = many(19, map { ['DELETE',
                           "/v1/rooms/$talk/events/$said[1]/reaction", $_,
                           { emoji => 'm' }] } @crowd[0 .. 18]);

is(scalar(grep { $_->{status} == 200 } @back), 19, 'nineteen take them back');
is_deeply(reactions('p20'), ['m=1*', 'x y=1'], 'one is left');
react('p20', 1, 'm', 'DELETE');
is(redis('HEXISTS', key("r:$talk:counts"), "$said[1] m"), 0, 'and none');

# different ones are few
react('cy', 1, "e$_") for 1 .. 50;
expect('403 SW_ROOM_FORBIDDEN', 'POST',
       "/v1/rooms/$talk/events/$said[1]/reaction", 'bob', { emoji => 'e51' });
react('bob', 1, 'e7');
is(scalar @{call('GET', "/v1/rooms/$talk/events/$said[1]", 'bob')
            ->{data}{reactions}}, 50, 'fifty');

# edit
my $id = say_it('bob', 'first words');
my $e = "$path/events/$id";

is(unread('ann'), 1, 'unread');

expect("200\ndata.id = $id\ndata.content = {\"body\":\"second words\"}\n"
       . "data.original_content = {\"body\":\"first words\"}\n"
       . "data.edited_at ~ ^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z\$\n"
       . "data.redacted_at null\ndata.sender_id = bob\n"
       . "data.event_type = swp.room.message",
       'POST', "$e/edit", 'bob', { content => { body => 'second words' } });

my $edit = newest($room, 'ann');

is($edit->{event_type}, 'swp.room.message', 'an edit is an event');
is_deeply($edit->{content},
          { replaces => $id, content => { body => 'second words' } },
          'which names what it replaces');
is($edit->{sender_id}, 'bob', 'and who did it');
is(unread('ann'), 1, 'and counts as nothing unread');
is_deeply(shown($id)->{content}, { body => 'second words' },
          'history shows the edited message');

expect("200\ndata.content.body = third\n"
       . "data.original_content.body = first words",
       'POST', "$e/edit", 'bob', { content => { body => 'third' } });
is_deeply(shown($id)->{original_content}, { body => 'first words' },
          'the first original stays');
is((scalar grep { $_->{id} eq $id } events($room, 'ann')), 1,
   'one event at its place');

# numbers and order of the author's own JSON are kept
expect('200', 'POST', "$e/edit", 'bob',
       '{"content": {"z": 1.50, "a": 1e2, "\\u0061b": "\\u00e9"}}');
like(call('GET', "$path/messages", 'ann')->{body},
     qr/"content":\{"z":1\.50,"a":1e2,"\\u0061b":"\\u00e9"\}/,
     'content as its author wrote it');

# who, what, in which order
expect('403 SW_ROOM_FORBIDDEN', 'POST', "$e/edit", 'ann',
       { content => { body => 'x' } });
expect('403 SW_ROOM_FORBIDDEN', 'POST', "$e/edit", 'dan',
       { content => { body => 'x' } });
expect('404 SW_ROOM_NOT_FOUND', 'POST', "$e/edit", 'eve',
       { content => { body => 'x' } });
expect('404 SW_ROOM_NOT_FOUND', 'POST', "$e/edit", 'bob@other',
       { content => { body => 'x' } });
expect('401 SW_AUTH_INVALID_TOKEN', 'POST', "$e/edit", undef,
       { content => {} });
expect('405 SW_METHOD_NOT_ALLOWED', 'PUT', "$e/edit", 'bob',
       { content => {} });
expect('400 SW_VALIDATION_FAILED content', 'POST', "$e/edit", 'bob', {});
expect('400 SW_VALIDATION_FAILED content', 'POST', "$e/edit", 'eve',
       { content => 'x' });
expect('413 SW_CONTENT_TOO_LARGE content', 'POST', "$e/edit", 'bob',
       { content => { body => 'x' x 65530 } });
expect('200', 'POST', "$e/edit", 'bob',
       { content => { body => 'x' x (65536 - 11) } });

my $unknown = $id;
substr($unknown, -1) =~ tr/0-9a-f/1-9a-f0/;

for my $bad ($unknown, 'evt-1', 'evt-', 'x', '%01', '..%2fx', "$id%20") {
    expect('404 SW_EVENT_NOT_FOUND', 'POST', "$path/events/$bad/edit", 'bob',
           { content => {} });
    expect('404 SW_EVENT_NOT_FOUND', 'POST', "$path/events/$bad/redact",
           'bob', {});
    expect('404 SW_EVENT_NOT_FOUND', 'POST', "$path/events/$bad/reaction",
           'bob', { emoji => '+' });
    expect('404 SW_EVENT_NOT_FOUND', 'DELETE',
           "$path/events/$bad/reaction?emoji=%2b", 'bob');
}

# an event of another room
my $other = make(group => 'bob', name => 'Other');

expect('404 SW_EVENT_NOT_FOUND', 'POST', "/v1/rooms/$other/events/$id/edit",
       'bob', { content => {} });

# events that are no messages, and edits of messages
my $create = (events($room, 'ann'))[0];

expect('400 SW_VALIDATION_FAILED event_id', 'POST',
       "$path/events/$create->{id}/edit", 'ann', { content => {} });
expect('400 SW_VALIDATION_FAILED event_id', 'POST',
       "$path/events/$create->{id}/redact", 'ann');
expect('400 SW_VALIDATION_FAILED event_id', 'POST',
       "$path/events/$create->{id}/reaction", 'ann', { emoji => '+' });
expect('400 SW_VALIDATION_FAILED event_id', 'POST',
       "$path/events/$edit->{id}/edit", 'bob', { content => {} });
expect('400 SW_VALIDATION_FAILED event_id', 'POST',
       "$path/events/$edit->{id}/redact", 'bob');

# nobody makes an event that looks like an edit
for my $forged ("{\"content\":{\"replaces\":\"$id\"}}",
                "{\"content\":{\"\\u0072eplaces\":\"$id\"}}")
{
    expect('400 SW_VALIDATION_FAILED content.replaces', 'POST',
           "$path/send", 'cy', $forged);
    expect('400 SW_VALIDATION_FAILED content.replaces', 'POST', "$e/edit",
           'bob', $forged);
}

# nor one that looks like somebody else's
for my $path ("$path/send", "$e/edit") {
    expect('400 SW_VALIDATION_FAILED content._imported_sender', 'POST', $path,
           'bob', { content => { body => 'x', _imported_sender =>
                                 { display_name => 'Ann' } } });
}

# 24 hours
my $old = say_it('bob', 'an old one');
my $json = redis('ZRANGE', key("r:$room:events"), -1, -1)->[0];
my $score = redis('ZSCORE', key("r:$room:events"), $json);

sub age {
    my ($ms) = @_;
    my $s = int(time() - $ms / 1000);
    my @t = gmtime $s;
    my $aged = $json;
    my $at = sprintf '%04d-%02d-%02dT%02d:%02d:%02d.000Z', $t[5] + 1900,
                     $t[4] + 1, @t[3, 2, 1, 0];

    $aged =~ s/"created_at":"[^"]+"/"created_at":"$at"/;
    redis('ZREMRANGEBYSCORE', key("r:$room:events"), $score, $score);
    redis('ZADD', key("r:$room:events"), $score, $aged);
}

age(86_395_000);
expect('200', 'POST', "$path/events/$old/edit", 'bob', { content => {} });
age(86_402_000);
expect('409 SW_EVENT_TOO_OLD_TO_EDIT', 'POST', "$path/events/$old/edit", 'bob',
       { content => {} });
expect("200\ndata.redacted_at ~ Z\$", 'POST', "$path/events/$old/redact",
       'bob');

# redact
$id = say_it('bob', 'a secret', 'Idempotency-Key' => 'k1');
$e = "$path/events/$id";
must('POST', "$e/edit", 'bob', { content => { body => 'a secret too' } });
must('POST', "$e/edit", 'bob', { content => { body => 'a secret still' } });
must('POST', "$e/reaction", 'ann', { emoji => '+' });
must('PUT', "$path/read", 'cy', { event_id => $id });

my $after = say_it('bob', 'no secrecy');
my %unread = (ann => unread('ann'), cy => unread('cy'));

cmp_ok(scalar stored('a secret'), '>', 1, 'the body is in the store');

expect('403 SW_ROOM_FORBIDDEN', 'POST', "$e/redact", 'dan');
admit($room, 'ann', 'dan=49');
expect('403 SW_REDACT_FORBIDDEN', 'POST', "$e/redact", 'dan');
expect('400 SW_VALIDATION_FAILED reason', 'POST', "$e/redact", 'cy',
       { reason => 5 });
expect('400 SW_VALIDATION_FAILED reason', 'POST', "$e/redact", 'cy',
       { reason => 'x' x 1025 });
expect("200\ndata.id = $id\ndata.content = {}\ndata.original_content !\n"
       . "data.redacted_at ~ Z\$\ndata.edited_at ~ Z\$",
       'POST', "$e/redact", 'cy', { reason => "told \"it\"" });

my $redaction = newest($room, 'ann');

is($redaction->{event_type}, 'swp.room.redaction', 'its event');
is($redaction->{sender_id}, 'cy', 'of who did it');
is_deeply($redaction->{content},
          { event_id => $id, reason => 'told "it"' }, 'says what and why');
is_deeply([stored('a secret')], [], 'the body is nowhere in the store');
is(unread('ann'), $unread{ann} - 1, 'the message counts as unread no more');
is(unread('cy'), $unread{cy}, 'where it was read before nothing changes');
is_deeply([grep { /^\Q$id/ }
           @{redis('ZRANGE', key("r:$room:reactions"), 0, -1)}], [],
          'its reactions are gone');
is(redis('HGET', key("r:$room:copies"), $id), undef,
   'and what was known of its copies');

my @edits = grep { ($_->{content}{replaces} // '') eq $id }
            events($room, 'ann');

is(scalar @edits, 2, 'its edits stay in history');
is_deeply([map { $_->{content} } @edits], [({ replaces => $id }) x 2],
          'without their bodies');
is((scalar grep { $_->{redacted_at} } @edits), 2, 'redacted too');

expect("201\ndata.id = $id\ndata.content = {}\ndata.redacted_at ~ Z\$",
       'POST', "$path/send", 'bob', { content => { body => 'a secret' } },
       'Idempotency-Key' => 'k1');
cmp_ok(redis('TTL', $_), '>', 80_000, 'the record still expires')
    for @{redis('KEYS', key('idem:*'))};

my $count = events($room, 'ann');

expect("200\ndata.id = $id\ndata.content = {}", 'POST', "$e/redact", 'bob');
is(scalar events($room, 'ann'), $count, 'a second redaction is none');
expect('400 SW_VALIDATION_FAILED event_id', 'POST', "$e/edit", 'bob',
       { content => {} });
expect('400 SW_VALIDATION_FAILED event_id', 'POST', "$e/reaction", 'bob',
       { emoji => '+' });

# one's own, without a body or any power
expect("200\ndata.content = {}", 'POST', "$path/events/$after/redact",
       'bob');
is_deeply(newest($room, 'ann')->{content}, { event_id => $after },
          'no reason');

# a redaction of what was read, and what comes after it
say_it('bob', $_) for 1 .. 3;
my $last = say_it('bob', 'last');

is(must('PUT', "$path/read", 'ann', { event_id => $last })->{unread_count},
   0, 'all read');
must('POST', "$path/events/$last/redact", 'bob');
is(unread('ann'), 0, 'nothing unread after the redaction of what was read');
say_it('bob', 'new');
is(unread('ann'), 1, 'and one more');

# reactions
$id = say_it('ann', 'react to this');
$e = "$path/events/$id";
%unread = (bob => unread('bob'));

expect("200\ndata = {\"event_id\":\"$id\",\"emoji\":\"\xf0\x9f\x91\x8d\","
       . "\"sender_id\":\"bob\",\"active\":true}",
       'POST', "$e/reaction", 'bob', { emoji => "\x{1f44d}" });

my $reaction = newest($room, 'ann');

is($reaction->{event_type}, 'swp.room.reaction', 'its event');
is_deeply($reaction->{content}, { event_id => $id, emoji => "\x{1f44d}",
                                  action => 'add' }, 'and what it says');
$count = events($room, 'ann');
expect("200\ndata.active = true", 'POST', "$e/reaction", 'bob',
       { emoji => "\x{1f44d}" });
is(scalar events($room, 'ann'), $count, 'the same again is none');
expect("200\ndata.active = true", 'POST', "$e/reaction", 'cy',
       { emoji => "\x{1f44d}" });
expect("200\ndata.active = true", 'POST', "$e/reaction", 'bob',
       { emoji => 'x' x 32 });
is(scalar events($room, 'ann'), $count + 2,
   'another sender, another emoji');
is(unread('bob'), $unread{bob}, 'nothing unread by reactions');

expect("200\ndata.active = false", 'DELETE', "$e/reaction", 'bob',
       { emoji => "\x{1f44d}" });
is_deeply(newest($room, 'ann')->{content},
          { event_id => $id, emoji => "\x{1f44d}", action => 'remove' },
          'the event of a removal');
$count = events($room, 'ann');
expect("200\ndata.active = false", 'DELETE',
       "$e/reaction?emoji=%F0%9F%91%8D", 'bob');
is(scalar events($room, 'ann'), $count, 'removing what is not there');
expect("200\ndata.active = false", 'DELETE',
       "$e/reaction?emoji=%F0%9F%91%8D", 'cy');
is(scalar events($room, 'ann'), $count + 1, 'by query');

for my $bad ('', 'x' x 33, "a\nb", "a\x00", undef, 5, ['+']) {
    expect('400 SW_VALIDATION_FAILED emoji', 'POST', "$e/reaction", 'bob',
           { emoji => $bad });
}

expect('400 SW_VALIDATION_FAILED emoji', 'DELETE', "$e/reaction", 'bob');
expect('400 SW_VALIDATION_FAILED emoji', 'DELETE', "$e/reaction?emoji=",
       'bob');
expect('400 SW_VALIDATION_FAILED emoji', 'DELETE', "$e/reaction?emoji=%ff",
       'bob');
expect('404 SW_ROOM_NOT_FOUND', 'POST', "$e/reaction", 'eve',
       { emoji => '+' });
like(call('PUT', "$e/reaction", 'bob')->{headers}{allow}, qr/POST, DELETE/,
     'methods');

# frozen, in the order of checks
must('POST', "$path/archive", 'ann');
expect('409 SW_ROOM_FROZEN', 'POST', "$path/events/nothing/edit", 'ann',
       { content => {} });
expect('409 SW_ROOM_FROZEN', 'POST', "$e/redact", 'ann');
expect('409 SW_ROOM_FROZEN', 'POST', "$e/reaction", 'bob', { emoji => '+' });
expect('409 SW_ROOM_FROZEN', 'DELETE', "$e/reaction?emoji=x", 'bob');
must('POST', "$path/rejoin", 'ann');

# many at once: nothing is lost, nothing is doubled.  The store hangs until
# all have asked, so that all decide on the same.
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

$id = say_it('bob', 'v0');
$e = "$path/events/$id";
$count = events($room, 'ann');

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

$count = events($room, 'ann');
@res = race(map { ['POST', "$e/reaction", 'bob', { emoji => '+' }] }
                1 .. 16);
is((scalar grep { $_->{status} == 200 } @res), 16, 'one reaction, 16 times');
is(scalar events($room, 'ann'), $count + 1, 'is one event');

@res = race(map { ['POST', "$e/redact", $_ % 2 ? 'bob' : 'ann'],
                      ['POST', "$e/edit", 'bob',
                       { content => { body => 'a leak' } }] } 1 .. 8);
is((scalar grep { $_->{data} && $_->{data}{redacted_at} } @res) > 0, 1,
   'redactions among edits');
is_deeply([stored('a leak')], [], 'leave no body');
is((scalar grep { $_->{event_type} eq 'swp.room.redaction'
                  && $_->{content}{event_id} eq $id } events($room, 'ann')),
   1, 'and happen once');

# not for ever
$id = say_it('bob', 'often');
must('POST', "$path/events/$id/edit", 'bob', { content => { n => $_ } })
    for 1 .. 100;
expect('403 SW_ROOM_FORBIDDEN', 'POST', "$path/events/$id/edit", 'bob',
       { content => { n => 101 } });
must('POST', "$path/events/$id/redact", 'bob');
is((scalar grep { ($_->{content}{replaces} // '') eq $id
                  && !$_->{redacted_at} } events($room, 'ann')), 0,
   'a hundred edits are wiped together');
verify_room($room);

# an incognito room takes all of it along
my $dark = make(incognito => 'ann');
$id = must('POST', "/v1/rooms/$dark/send", 'ann',
           { content => { body => 'in the dark' } })->{id};
expect("200\ndata.do_not_index = true", 'POST',
       "/v1/rooms/$dark/events/$id/edit", 'ann',
       { content => { body => 'in the dark, too' } });
must('POST', "/v1/rooms/$dark/events/$id/reaction", 'ann',
     { emoji => '+' });
$id = must('POST', "/v1/rooms/$dark/send", 'ann',
           { content => { body => 'a dark secret' } },
           'Idempotency-Key' => 'k2')->{id};
must('POST', "/v1/rooms/$dark/events/$id/redact", 'ann');
is_deeply([stored('a dark secret')], [], 'redacted in an incognito room');
expect("201\ndata.id = $id\ndata.content = {}\ndata.redacted_at ~ Z\$",
       'POST', "/v1/rooms/$dark/send", 'ann',
       { content => { body => 'a dark secret' } },
       'Idempotency-Key' => 'k2');
must('POST', "/v1/rooms/$dark/leave", 'ann');
is_deeply([grep { !/:(?:events)$/ } @{redis('KEYS', key("r:$dark:*"))}], [],
          'nothing is left of an incognito room');
is_deeply([stored('in the dark')], [], 'nor of its words');

# the store is away
redis_stop();
expect('503 SW_STORE_UNAVAILABLE', 'POST', "$e/edit", 'bob',
       { content => {} });

done_testing();
