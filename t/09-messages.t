# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST send and GET messages

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan eve));

my $room = make(group => 'ann');
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob');
must('POST', "$path/invite", 'ann', { participant_id => 'cy' });

my $send = sub {
    my ($want, $body, $who) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'POST', "$path/send", $who // 'bob', $body);
};

# an event
my $before = time();
my $res = $send->(<<"END", { content => { body => 'hi' } });
201
data # 10
data.id ~ ^evt-[0-9a-f]{29}\$
data.room_id = $room
data.sender_id = bob
data.event_type = swp.room.message
data.content = {"body":"hi"}
data.stream_position : number
data.origin_ts : number
data.created_at ~ ^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\$
data.edited_at null
data.redacted_at null
data.do_not_index !
END

cmp_ok(abs($res->{data}{origin_ts} - $before), '<', 30, 'seconds of Unix');
is_deeply(newest($room, 'ann'), $res->{data}, 'as others read it');
is(call('GET', $path, 'ann')->{data}{last_event_position},
   $res->{data}{stream_position}, 'the last event of the room');
is(redis('GET', key('position')), $res->{data}{stream_position},
   'the last position of the tenant');
is(event_place($res->{data}{id}), $res->{data}{stream_position},
   'an id is in the order of time');

# who may
$send->('403 SW_ROOM_FORBIDDEN', { content => {} }, 'cy');
$send->('404 SW_ROOM_NOT_FOUND', { content => {} }, 'dan');
$send->('404 SW_ROOM_NOT_FOUND', { content => {} }, 'bob@other');

for my $id ('x', 'room-', 'room-00000000000000000000000000', 'ws-x', $room . 'x',
            uc $room)
{
    expect('404 SW_ROOM_NOT_FOUND', 'POST', "/v1/rooms/$id/send", 'bob',
           { content => {} });
    expect('404 SW_ROOM_NOT_FOUND', 'GET', "/v1/rooms/$id/messages", 'bob');
}

my $public = make(public => 'ann', name => 'Public');

expect('403 SW_ROOM_FORBIDDEN', 'POST', "/v1/rooms/$public/send", 'dan',
       { content => {} });
expect('403 SW_ROOM_FORBIDDEN', 'GET', "/v1/rooms/$public/messages", 'dan');

# what is not valid
for my $bad ({}, { content => undef }, { content => 'text' },
             { content => [] }, { content => 1 }, { content => true },
             '{"content":{"a":1,"a":2}}', '{"content":{"a":"\u0000"}}',
             qq({"content":{"a":"\xff"}}), '{"content":{"a":"\ud800"}}',
             '{"content":{"a":1e999}}', '{"content":{"a":01}}',
             '{"content":{"a":NaN}}', qq({"content":{"a":"\n"}}),
             '{"content":' . '{"a":' x 3000 . '1' . '}' x 3001)
{
    $send->('400 SW_VALIDATION_FAILED content', $bad);
}

for my $bad ('', 'a b', 'x' x 129, "\x{e9}", 1, true, {}) {
    $send->('400 SW_VALIDATION_FAILED event_uuid',
            { content => {}, event_uuid => $bad });
}

# content is kept as it was written, but for white space between its tokens
for my $case (
    ['{}', '{}'],
    ['{"a":1.10,"b":1e5,"c":-0.0,"d":1E+2}'],
    ['{"big":123456789012345678,"neg":-9007199254740993}'],
    ['{"z":1,"a":2,"m":{"z":1,"a":2}}'],
    ['{"s":"a  b\\n\\u00e9\\/\\"","t":"\\ud83d\\ude00"}'],
    ["{\"e\":\"\xc3\xa9\xf0\x9f\x98\x80\"}"],
    ['{"x":[],"y":[{}],"n":null,"t":true,"f":false}'],
    ["{ \"a\" :\t1 ,\n\"b\":[ 1 , 2 ] }", '{"a":1,"b":[1,2]}'],
    ['{"content":{"content":1},"event_uuid":"x"}'],
    ['{"":"empty key"}'],
    ['{"a":"{\\"content\\":{}}"}'])
{
    my ($sent, $kept) = @$case;

    $kept //= $sent;
    $res = $send->('201', "{\"content\":$sent}");
    like($res->{body}, qr/"content":\Q$kept\E,"origin_ts"/,
         "answered: $kept");

    my $read = call('GET', "$path/messages?limit=1", 'ann');

    like($read->{body}, qr/"content":\Q$kept\E,"origin_ts"/, 'and read');
}

# other members of the body, before and behind, are not mistaken for it
for my $body ('{"x":{"content":{"no":1}},"content":{"yes":1}}',
              '{"y":"\"content\":{}","content":{"yes":1},"z":[{"content":2}]}',
              '{"\u0063ontent":{"yes":1}}',
              ' {"event_uuid":null , "content" : {"yes":1} } ')
{
    $send->("201\ndata.content = {\"yes\":1}", $body);
}

# 64 KiB of content, and one byte more; white space doesn't count
my $text = 'x' x (65536 - length '{"a":""}');

$send->('201', qq({"content":{"a":"$text"}}));
$send->('413 SW_CONTENT_TOO_LARGE content', qq({"content":{"a":"x$text"}}));
$send->('201', qq({"content": {  "a"  :  "$text"  }  }));
is(length newest($room, 'ann')->{content}{a}, length $text, 'kept whole');
$send->('413 SW_PAYLOAD_TOO_LARGE',
        '{"content":{"a":"' . 'x' x 131072 . '"}}');

# event_uuid: a replay returns the first
$res = $send->('201', { content => { n => 1 }, event_uuid => 'u-1' });

my $at = redis('GET', key('position'));

$send->("201\ndata.id = $res->{data}{id}\ndata.content.n = 1",
        { content => { n => 2 }, event_uuid => 'u-1' });
is(redis('GET', key('position')), $at, 'a replay appends nothing');
is(call('POST', "$path/send", 'bob',
        { content => { n => 3 }, event_uuid => 'u-1' })->{body},
   $res->{body}, 'the same answer to the byte');

my $other = $send->('201', { content => { n => 4 }, event_uuid => 'u-1' },
                    'ann');

isnt($other->{data}{id}, $res->{data}{id}, "another sender's is another");

my $room2 = make(group => 'bob', name => 'Two');

isnt(must('POST', "/v1/rooms/$room2/send", 'bob',
          { content => { n => 5 }, event_uuid => 'u-1' })->{id},
     $res->{data}{id}, 'and in another room');
$send->('201', { content => {}, event_uuid => 'x' x 128 });

my $first = $send->('201', { content => {}, event_uuid => undef });

isnt($send->('201', { content => {}, event_uuid => undef })->{data}{id},
     $first->{data}{id}, 'null is none');

# the same uuid many times at once is one event
$at = event_count();

my %ids = map { $_->{data}{id} => 1 }
          many(16, map { ['POST', "$path/send", 'bob',
                          { content => { n => $_ }, event_uuid => 'race' }] }
                       1 .. 16);

is(scalar keys %ids, 1, 'one event');
is(event_count(), $at + 1, 'appended once');

# replays tell nothing to who is out of the room
must('POST', "$path/kick", 'ann', { participant_id => 'bob' });
$send->('404 SW_ROOM_NOT_FOUND', { content => {}, event_uuid => 'u-1' });

# paging
my $log = make(group => 'ann', name => 'Log');
my $list = "/v1/rooms/$log/messages";

must('POST', "/v1/rooms/$log/send", 'ann', { content => { n => $_ } })
    for 1 .. 24;

my @all = ids(events($log, 'ann'));

is(scalar @all, 25, 'a creation and 24 messages');

for my $limit (1, 7, 24, 25, 26, 200) {
    is_deeply([ids(pages("$list?direction=forward", 'ann', 'from',
                         $limit))], \@all, "forward by $limit");
    is_deeply([ids(pages("$list?direction=back", 'ann', 'from', $limit))],
              [reverse @all], "back by $limit");
}

is_deeply([ids(pages($list, 'ann', 'from', 10))], [reverse @all],
          'back is the default');

my $page = call('GET', "$list?limit=25", 'ann');

is_deeply([@{$page->{meta}}{qw(has_more next_cursor)}], [false, undef],
          'a page that is just full is the last');
$page = call('GET', "$list?limit=10", 'ann');
ok($page->{meta}{has_more}, 'more');

# from the same place in the other direction
is_deeply([ids(@{call('GET', "$list?limit=5&direction=forward&from="
                             . $page->{meta}{next_cursor}, 'ann')->{data}})],
          [@all[16 .. 20]], 'forward from a place on the way back');

# positions: of an event, of none, of the end and behind it
my $see = sub {
    my ($args) = @_;
    my $res = call('GET', "$list?$args", 'ann');

    return ($res->{meta}, ids(@{$res->{data}}));
};

my %position = map { $_->{id} => $_->{stream_position} }
               events($log, 'ann');
my $middle = $position{$all[10]};

is($page->{meta}{next_cursor}, $position{$all[15]},
   'a cursor is the position of the last event');
like($page->{body}, qr/"next_cursor":"\d+"/, 'as a string');
is_deeply([$see->("from=$middle&limit=3")],
          [{ has_more => true, next_cursor => "$position{$all[7]}" },
           @all[9, 8, 7]], 'back, what is behind a position');
is_deeply([$see->("from=$middle&limit=3&direction=forward")],
          [{ has_more => true, next_cursor => "$position{$all[13]}" },
           @all[11 .. 13]], 'and forward');
is_deeply([$see->("from=0&direction=forward&limit=1")],
          [{ has_more => true, next_cursor => "$position{$all[0]}" },
           $all[0]], 'from the beginning');
is_deeply([$see->('from=0')], [{ has_more => false, next_cursor => undef }],
          'nothing is before it');
is_deeply([$see->('from=9999999999999999&limit=1')],
          [{ has_more => true, next_cursor => "$position{$all[24]}" },
           $all[24]], 'from behind the end');
is_deeply([$see->('from=&limit=1')], [$see->('limit=1')],
          'an empty one is none');

# the last page forward has a cursor, from which one goes on later
my ($end) = $see->("from=$position{$all[23]}&direction=forward");

is_deeply($end, { has_more => false,
                  next_cursor => "$position{$all[24]}" }, 'the last page');
is_deeply([$see->("from=$end->{next_cursor}&direction=forward")],
          [{ has_more => false, next_cursor => $end->{next_cursor} }],
          'and the one behind it');

# what is written meanwhile
must('POST', "/v1/rooms/$log/send", 'ann', { content => {} }) for 1 .. 3;

my @rest;

while ($page->{meta}{has_more}) {
    $page = call('GET', "$list?limit=10&from=$page->{meta}{next_cursor}",
                 'ann');
    push @rest, ids(@{$page->{data}});
}

is_deeply(\@rest, [reverse @all[0 .. 14]], 'going back misses nothing');
(undef, @rest) = $see->("from=$end->{next_cursor}&direction=forward");
is_deeply(\@rest, [(ids(events($log, 'ann')))[25 .. 27]],
          'going on forward finds what came');

my $default = make(group => 'ann', name => 'Default');

must('POST', "/v1/rooms/$default/send", 'ann', { content => {} })
    for 1 .. 50;
is(scalar @{call('GET', "/v1/rooms/$default/messages", 'ann')->{data}}, 50,
   'a page is 50');

for my $case ([limit => 'limit=0'], [limit => 'limit=201'],
              [limit => 'limit=x'], [direction => 'direction=up'],
              [direction => 'direction=BACK'],
              [from => 'from=x'], [from => 'from=-1'], [from => 'from=1.5'],
              [from => 'from=1e3'], [from => 'from=12345678901234567'],
              [from => "from=$all[0]"])
{
    expect("400 SW_VALIDATION_FAILED $case->[0]", 'GET', "$list?$case->[1]",
           'ann');
}

# a cursor of another list
my $cursor = call('GET', '/v1/directory/rooms?limit=1', 'ann')
             ->{meta}{next_cursor};

ok($cursor, 'a cursor of the directory');
expect('400 SW_VALIDATION_FAILED from', 'GET', "$list?from=$cursor", 'ann');

# one event
my $one = (events($log, 'ann'))[7];

is_deeply(call('GET', "/v1/rooms/$log/events/$one->{id}", 'ann')->{data},
          { %$one, reactions => [] }, 'one event');
expect(200, 'HEAD', "/v1/rooms/$log/events/$one->{id}", 'ann');

for my $id ('evt-', 'x', $one->{id} . '0', 'evt-' . '0' x 29, "$log",
            substr($one->{id}, 0, 32) . ($one->{id} =~ /0\z/ ? 1 : 0))
{
    expect('404 SW_EVENT_NOT_FOUND', 'GET', "/v1/rooms/$log/events/$id",
           'ann');
}

expect('404 SW_EVENT_NOT_FOUND', 'GET', "$path/events/$one->{id}", 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'GET', "/v1/rooms/$log/events/$one->{id}",
       'dan');
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/events/$res->{data}{id}", 'cy');

# what isn't there yet is refused rather than ignored
$send->('400 SW_VALIDATION_FAILED as_participant_id',
        { content => {}, as_participant_id => $_ }) for 'ann', 'bob', 5;
$send->('201', { content => {}, as_participant_id => undef }, 'ann');

# who may read
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/messages", 'cy');
expect('404 SW_ROOM_NOT_FOUND', 'GET', "$path/messages", 'dan');
expect('404 SW_ROOM_NOT_FOUND', 'GET', "$path/messages", 'bob');
expect('200', 'HEAD', "$path/messages", 'ann');

# incognito
my $secret = make(incognito => 'ann');

$res = expect("201\ndata.do_not_index = true\ndata # 11", 'POST',
              "/v1/rooms/$secret/send", 'ann', { content => { a => 1 } });
is_deeply([map { $_->{do_not_index} } events($secret, 'ann')], [true, true],
          'every event of the room');
is_deeply((events($secret, 'ann'))[1], $res->{data}, 'as it was answered');

my $scoped = make(group => 'ann', name => 'S', scope_kind => 'incognito');

expect("201\ndata.do_not_index = true", 'POST', "/v1/rooms/$scoped/send",
       'ann', { content => {} });
stop_nginx();

done_testing();
