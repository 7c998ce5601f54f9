# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# GET /v1/stream: the handshake, what is told and how, what a client may send,
# and what it may not: the cases of Autobahn's fuzzing client for what is used
# here (framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing,
# sizes).

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::HTTP qw(http_begin http_end http_raw);
use RoomsTest::Process qw(patience wait_for);
use RoomsTest::Stream;
use RoomsTest::Token qw(hs256);
use RoomsTest::WebSocket;

my $dir = File::Temp->newdir('rooms-ws-XXXXXXXX', TMPDIR => 1);
my $secret = 's' x 48;

open my $out, '>', "$dir/secret" or die $!;
print $out $secret;
close $out;

sub serve {
    my ($more, %options) = @_;

    run_nginx(<<"END", %options);
        rooms on;
        rooms_auth hybrid;
        rooms_auth_secret_file $dir/secret;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_cors_origin https://chat.example.com;
        rooms_stream_connections 1000;
        location = /status { rooms_status; }
        $more
END
}

sub ws {
    my ($who, $args, %headers) = @_;

    return RoomsTest::WebSocket->new("/v1/stream$args",
        defined $who && $who =~ /\./ ? $who : token($who), %headers);
}

sub say_it {
    my ($room, $who, $text) = @_;

    return must('POST', "/v1/rooms/$room/send", $who,
                { content => { body => $text } });
}

sub gauge {
    return call('GET', '/status', 'ann')->{body}
           =~ /^rooms_streams\{transport="websocket"\} (\d+)/m ? $1 : undef;
}

serve('');
ok(wait_for(20, sub { call('POST', '/v1/auth/register', 'ann')->{status}
                      == 200 }), 'a store');
known(qw(ann bob cy dan));

my $room = make(group => 'ann', name => 'One');

# the handshake
{
    my $ws = ws('bob', '?since=now');

    is($ws->{status}, 101, 'an upgrade');
    is($ws->{headers}{'sec-websocket-accept'}, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
       'Sec-WebSocket-Accept');
    is(lc $ws->{headers}{upgrade}, 'websocket', 'Upgrade');
    is(lc $ws->{headers}{connection}, 'upgrade', 'Connection');
    is($ws->{headers}{'transfer-encoding'}, undef, 'no chunks');

    my $hello = $ws->next;

    is($hello->{type}, 'hello', 'hello comes first');
    is(join(' ', sort keys %$hello),
       'epoch expires_at heartbeat position server_name session_id tenant_id '
       . 'type', 'its members');
    is($ws->next->{type}, 'caught_up', 'then caught_up');
    is(gauge(), 1, 'the gauge counts it');
    $ws->close;
    ok(wait_for(10, sub { gauge() == 0 }), 'and that it is gone');

    # lists, as RFC 9110 writes them
    for my $good (['Connection' => 'Upgrade,keep-alive'],
                  ['Connection' => "\tupgrade , x"],
                  ['Upgrade' => 'h2c,WebSocket,x'])
    {
        $ws = ws('bob', '?since=now', @$good);
        is($ws->{status}, 101, "an upgrade: @$good");
        $ws->close;
    }

    for my $bad (['Upgrade' => 'h2c'], ['Connection' => 'keep-alive'],
                 ['Connection' => 'upgrades'], ['Upgrade' => 'websocketx, x'],
                 ['Content-Length' => 2, -early => '{}'],
                 ['Sec-WebSocket-Version' => 12],
                 ['Sec-WebSocket-Key' => 'short'])
    {
        $ws = ws('bob', '?since=now', @$bad);
        is($ws->{status}, 426, "426: @$bad");
        like($ws->{in}, qr/SW_UPGRADE_REQUIRED/, 'its code');
        is($ws->{headers}{'sec-websocket-version'}, 13, 'the version');
        is($ws->{headers}{upgrade}, 'websocket', 'and to what');
        like($ws->{head}, qr{\AHTTP/1\.1 426 Upgrade Required\r\n},
             'its reason');
        like($ws->{head}, qr/^Connection: Upgrade\r$/m, 'its Connection');
    }

    my $old = http_raw('GET', '/v1/stream?since=now', token('bob'), undef,
                       Upgrade => 'websocket', Connection => 'upgrade',
                       'Sec-WebSocket-Version' => 13,
                       'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');

    is(http_end(http_begin($old =~ s{HTTP/1\.1}{HTTP/1.0}r))->[0], 426,
       '426: HTTP/1.0');

    # what isn't 426 offers nothing
    $ws = ws(undef, '', Upgrade => 'h2c');
    is($ws->{status}, 401, '401 comes before 426');
    unlike($ws->{head}, qr/^(?:Upgrade|Sec-WebSocket-Version):/mi,
           '... and offers no upgrade');

    expect('426 SW_UPGRADE_REQUIRED', 'GET', '/v1/stream', 'bob');
    expect('401 SW_AUTH_INVALID_TOKEN', 'GET', '/v1/stream', undef);
    expect('405 SW_METHOD_NOT_ALLOWED', 'POST', '/v1/stream', 'bob', {});

    for my $bad ('since=x', 'limit=0', 'format=xml') {
        $ws = ws('bob', "?$bad");
        is($ws->{status}, 400, "400: $bad");
    }
}

# who may not
{
    my $ws = ws(undef, '?since=now');

    is($ws->{status}, 101, 'without a token: an upgrade');
    is_deeply([$ws->closed], [4001, 'SW_AUTH_INVALID_TOKEN'],
              'and a close that says why');
    ok($ws->gone, 'and the end');

    $ws = ws(hs256('other' x 10, sub => 'bob', tenant_id => tenant()), '');
    is_deeply([$ws->closed], [4001, 'SW_AUTH_INVALID_TOKEN'], 'a forged one');

    $ws = ws(hs256($secret, sub => 'bob', tenant_id => tenant(),
                   exp => time() - 300), '');
    is_deeply([$ws->closed], [4001, 'SW_AUTH_EXPIRED_TOKEN'],
              'an expired one');

    for my $origin ('https://evil.example', 'null',
                    'https://localhost.evil.example', 'http://evil.localhost',
                    'https://chat.example.com:444')
    {
        is((ws('bob', '', Origin => $origin)->closed)[0] // 0, 1008,
           "a page of $origin");
    }

    ok(ws('bob', '?since=now', Origin => $_)->next('hello'), "of $_")
        for 'https://chat.example.com', 'http://localhost';
}

# flat frames
{
    must('POST', "/v1/rooms/$room/invite", 'ann',
         { participant_ids => ['bob', 'cy'] });
    must('POST', "/v1/rooms/$room/join", 'bob');

    my $m = say_it($room, 'ann', "h\x{e9}");

    must('POST', "/v1/rooms/$room/events/$m->{id}/reaction", 'bob',
         { emoji => "\x{1f44d}" });
    must('PUT', "/v1/rooms/$room/name", 'ann', { name => 'Two' });
    must('PUT', "/v1/rooms/$room/topic", 'ann', { topic => 'T' });

    my $more = say_it($room, 'ann', 'gone');

    must('PUT', "/v1/rooms/$room/read", 'bob', { event_id => $m->{id} });
    must('POST', "/v1/rooms/$room/events/$more->{id}/redact", 'ann',
         { reason => 'spam' });

    my $ws = ws('bob', '?since=0');
    my @got = $ws->until('caught_up');
    my @flat = grep { $_->{type} =~ /^swp/ } @got;
    my %of;

    push @{$of{$_->{type}}}, $_ for @flat;
    is(scalar(grep { !$_->{id} || $_->{room_id} ne $room || !$_->{ts}
                     || $_->{tenant_id} ne tenant() || !$_->{stream_position}
                   } @flat), 0, 'all have what all have');

    my $said = $of{'swp.room.message'}[0];

    is_deeply([@{$said}{qw(id sender_id content stream_position)}],
              [$m->{id}, 'ann', { body => "h\x{e9}" }, $m->{stream_position}],
              'a message');
    like($said->{origin_ts}, qr/\A\d+\z/, 'its origin_ts');
    is_deeply([map { [@{$_}{qw(participant_id membership changed_by)}] }
               @{$of{'swp.room.member'}}],
              [['bob', 'invite', 'ann'], ['cy', 'invite', 'ann'],
               ['bob', 'join', 'bob']],
              'members, of an invite of many each');
    is_deeply([@{$of{'swp.room.reaction'}[0]}{qw(event_id sender_id emoji
                                                 action)}],
              [$m->{id}, 'bob', "\x{1f44d}", 'add'], 'a reaction');
    is($of{'swp.room.name'}[0]{name}, 'Two', 'a name');
    is($of{'swp.room.topic'}[0]{topic}, 'T', 'a topic');
    is_deeply([@{$of{'swp.room.redaction'}[0]}{qw(event_id redacted_by
                                                  reason)}],
              [$more->{id}, 'ann', 'spam'], 'a redaction');
    is($of{'swp.room.read_marker'}[0]{event_id}, $m->{id}, 'a read marker');
    is(join(' ', sort keys %of), join(' ', map { "swp.room.$_" }
       qw(member message name reaction read_marker redaction topic)),
       'and nothing else');

    my $page = must('GET', '/v1/sync?since=0&timeout=0', 'bob');

    @got = ws('bob', '?since=0&format=event')->until('caught_up');
    is_deeply([grep { !$_->{type} } @got], $page->{events},
              'format=event: the elements of a poll');

    # one position for all
    my $st = RoomsTest::Stream->new('/v1/sync?since=now', token('bob'));
    my $at = $st->next('caught_up')->{id};

    $st->close;
    say_it($room, 'ann', "x$_") for 1 .. 3;
    $ws = ws('bob', "?since=$at");
    is(join(' ', map { $_->{content}{body} // () } $ws->until('caught_up')),
       'x1 x2 x3', 'it goes on where a stream of events ended');

    say_it($room, 'ann', 'live');
    is($ws->next('swp.room.message')->{content}{body}, 'live', 'live');

    my $reset = ws('bob', '?since=9007199254740000')->next('reset');

    is($reset->{reason}, 'ahead', 'reset');
    is(ws('bob', '?since=0&epoch=other')->next('reset')->{reason}, 'epoch',
       'of another store');
}

# what a client may send
{
    my $ws = ws('bob', '?since=now');

    $ws->next('caught_up');
    $ws->text('{"type":"ping"}');
    is($ws->next('pong')->{type}, 'pong', 'a ping that is a message');

    for my $noise ('', '{}', '[]', '"x"', '{', 'null', '{"type":5}',
                   '{"type":"auth"}', '{"type":"auth","token":5}',
                   '{"type":"send","content":{}}', '[' x 4000)
    {
        $ws->text($noise);
    }

    $ws->frame(opcode => 2, data => "\x00\xff");
    $ws->frame(opcode => 2, data => '{"type":"ping"}');
    $ws->text(' {"type" : "ping", "x": [1]} ');
    is($ws->next('pong')->{type}, 'pong', 'all else is ignored');
    $ws->frame(opcode => 9, data => 'behind');
    is_deeply($ws->get, [10, 'behind'], 'a ping in a binary message, too');

    # a token that goes on
    my $short = hs256($secret, sub => 'bob', tenant_id => tenant(),
                      exp => time() + 10);
    my $long = hs256($secret, sub => 'bob', tenant_id => tenant(),
                     exp => time() + 100);
    my @two = map { ws($short, '?since=now') } 1 .. 2;

    $_->next('caught_up') for @two;
    $two[0]->text(qq({"type":"auth","token":"$long"}));
    ok($two[0]->next('auth')->{expires_at}, 'another token is taken');
    is_deeply([$two[1]->closed], [4001, 'SW_AUTH_EXPIRED_TOKEN'],
              'without one it ends');
    is((grep { $_->{type} eq 'end' } @{$two[1]->{said}})[0]{reconnect},
       JSON::PP::false, 'and says so before');
    say_it($room, 'ann', 'still');
    is($two[0]->next('swp.room.message')->{content}{body}, 'still',
       'with one it lives on');

    my $other = hs256($secret, sub => 'cy', tenant_id => tenant());

    $two[0]->text(qq({"type":"auth","token":"$other"}));
    is_deeply([$two[0]->closed], [4001, 'SW_AUTH_INVALID_TOKEN'],
              "another's token isn't");
    $ws->text('{"type":"auth","token":"a.b.c"}');
    is(($ws->closed)[0], 4001, 'nor a bad one');

    # frames that come with the handshake
    $ws = ws('bob', '?since=now', -early =>
             RoomsTest::WebSocket::bytes(data => '{"type":"ping"}')
             . RoomsTest::WebSocket::bytes(opcode => 9, data => 'e'));
    $ws->next('hello');

    my %seen;

    for (1 .. 3) {
        my $f = $ws->get or last;

        $seen{$f->[0] == 10 ? 'control' : JSON::PP::decode_json($f->[1])
              ->{type}} = 1;
    }

    is(join(' ', sort keys %seen), 'caught_up control pong',
       'frames that did not wait');
}

# Autobahn: each case has a connection of its own; what is alive answers
sub open_one {
    my $ws = ws('bob', '?since=now');

    $ws->next('caught_up') or die 'no stream';

    return $ws;
}

sub alive {
    my ($name, $ws) = @_;

    $ws->text('{"type":"ping"}');
    ok($ws->next('pong'), "$name: alive");
}

sub dead {
    my ($name, $ws, $code) = @_;

    is(($ws->closed)[0] // 'none', $code, "$name: $code");
    ok($ws->gone, "$name: gone");
}

sub B { return RoomsTest::WebSocket::bytes(@_) }

# 1: framing, sizes at the limits of each form of a length
for my $n (0, 125, 126, 127, 128, 8191, 8192) {
    for my $op (1, 2) {
        my $ws = open_one();

        $ws->frame(opcode => $op, data => '*' x $n);
        alive("1.$op.$n", $ws);
    }
}

{
    my $ws = open_one();

    for my $byte (split //, B(data => '*' x 200)) {
        $ws->raw($byte);
    }

    alive('1.octets', $ws);
}

# 2: pings and pongs
for my $data ('', 'Hello', "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", "\xfe" x 125) {
    my $ws = open_one();

    $ws->frame(opcode => 9, data => $data);

    my $f = $ws->get;

    is_deeply($f, [10, $data], '2: a ping of ' . length($data) . ' bytes');
}

{
    my $ws = open_one();

    $ws->frame(opcode => 9, data => "\xfe" x 126);
    dead('2.5 a ping that is too long', $ws, 1002);

    $ws = open_one();
    $ws->raw($_) for split //, B(opcode => 9, data => "\xfe" x 125);
    is(($ws->get)->[0], 10, '2.6 a ping, octet by octet');

    $ws = open_one();
    $ws->frame(opcode => 10);
    $ws->frame(opcode => 10, data => 'unasked');
    alive('2.7 pongs that nobody asked for', $ws);

    $ws = open_one();
    $ws->raw(join '', map { B(opcode => 9, data => "p$_") } 1 .. 10);

    my $last = '';

    while ($last ne 'p10') {
        my $f = $ws->get or last;

        $last = $f->[1] if $f->[0] == 10;
    }

    is($last, 'p10', '2.10 ten pings: the last is answered');
}

# 3: reserved bits
for my $rsv (1 .. 7) {
    my $ws = open_one();

    $ws->raw(B(data => 'x') . B(data => 'y', rsv => $rsv));
    dead("3.$rsv", $ws, 1002);
}

{
    my $ws = open_one();

    $ws->frame(opcode => 9, rsv => 5);
    dead('3.6 of a ping', $ws, 1002);
}

# 4: opcodes
for my $op (3 .. 7, 11 .. 15) {
    my $ws = open_one();

    $ws->frame(opcode => $op, data => $op % 2 ? 'x' : '');
    dead("4.$op", $ws, 1002);
}

# 5: fragments
{
    my %cases = (
        '5.1 a ping in two' =>
            [1002, B(opcode => 9, fin => 0, data => 'a')
                   . B(opcode => 0, data => 'b')],
        '5.2 a pong in two' =>
            [1002, B(opcode => 10, fin => 0, data => 'a')
                   . B(opcode => 0, data => 'b')],
        '5.3 a text in two' =>
            [0, B(fin => 0, data => '{"type":') . B(opcode => 0,
                                                    data => '"ping"}')],
        '5.6 with a ping between' =>
            [0, B(fin => 0, data => '{"type":') . B(opcode => 9, data => 'i')
                . B(opcode => 0, data => '"ping"}')],
        '5.9 a continuation of nothing' =>
            [1002, B(opcode => 0, data => 'x') . B(data => 'y')],
        '5.10 the same, not final' =>
            [1002, B(opcode => 0, fin => 0, data => 'x')],
        '5.15 after a whole one' =>
            [1002, B(fin => 0, data => 'a') . B(opcode => 0, data => 'b')
                   . B(opcode => 0, fin => 0, data => 'c')],
        '5.18 a text in a text' =>
            [1002, B(fin => 0, data => 'a') . B(data => 'b')],
        '5.19 many, with pings' =>
            [0, join('', B(fin => 0, data => '{"type"'),
                     map({ B(opcode => 0, fin => 0, data => ' ')
                           . B(opcode => 9, data => "$_") } 1 .. 50),
                     B(opcode => 0, data => ':"ping"}'))],
        '5.x empty ones' =>
            [0, B(fin => 0) . B(opcode => 0, fin => 0)
                . B(opcode => 0, data => '{"type":"ping"}')],
    );

    for my $name (sort keys %cases) {
        my ($code, $bytes) = @{$cases{$name}};
        my $ws = open_one();

        $ws->raw($bytes);

        if ($code) {
            dead($name, $ws, $code);

        } else {
            ok($ws->next('pong'), $name);
            alive($name, $ws);
        }
    }
}

# 6: UTF-8
{
    my %good = (
        'kosme' => "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
        'least of each length' => "\x00\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80",
        'most of each length' => "\x7f\xdf\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf",
        'beside the surrogates' => "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd",
        'noncharacters' => "\xef\xbf\xbe\xef\xbf\xbf\xf0\x9f\xbf\xbe",
    );
    my %bad = (
        'a surrogate' => "\xed\xa0\x80", 'a pair' => "\xed\xa0\x80\xed\xb0\x80",
        'a lone continuation' => "\x80", 'a cut character' => "\xce",
        'five bytes' => "\xf8\x88\x80\x80\x80",
        'beyond' => "\xf4\x90\x80\x80", 'overlong /' => "\xc0\xaf",
        'overlong, three' => "\xe0\x80\xaf",
        'overlong, four' => "\xf0\x80\x80\xaf", 'fe' => "\xfe", 'ff' => "\xff",
        'a character that breaks off' => "\xe1\xbdx",
    );

    for my $name (sort keys %good) {
        my $ws = open_one();
        my $at = length($good{$name}) / 2;

        $ws->frame(data => $good{$name});
        $ws->raw(B(fin => 0, data => substr $good{$name}, 0, $at)
                 . B(opcode => 0, data => substr $good{$name}, $at));
        $ws->raw(join '', B(fin => 0),
                 map({ B(opcode => 0, fin => 0, data => $_) }
                     split //, $good{$name}), B(opcode => 0));
        alive("6 $name", $ws);
    }

    for my $name (sort keys %bad) {
        my $ws = open_one();

        $ws->frame(data => "x$bad{$name}");
        dead("6 $name", $ws, 1007);
    }

    my $ws = open_one();

    $ws->frame(fin => 0, data => "\xce\xba\xed\xa0");
    dead('6.4 at once, before the message ends', $ws, 1007)
        if $ws->next('none', 0.3) || $ws->{close};
    $ws->frame(opcode => 0, data => "\x80");
    dead('6.4 in the middle of a character', $ws, 1007);
}

# 7: closing
{
    my $ws = open_one();

    $ws->raw(B(opcode => 8, data => pack('n', 1000) . 'bye')
             . B(data => '{"type":"ping"}') . B(opcode => 9));
    dead('7.1 a close', $ws, 1000);
    is(scalar(grep { $_->{type} eq 'pong' } @{$ws->{said}}), 0,
       'and nothing after it');

    $ws = open_one();
    $ws->frame(opcode => 8);
    dead('7.3.1 without a code', $ws, 1000);

    $ws = open_one();
    $ws->frame(opcode => 8, data => 'x');
    dead('7.3.2 half a code', $ws, 1002);

    $ws = open_one();
    $ws->frame(opcode => 8, data => pack('n', 1000) . '*' x 123);
    dead('7.3.5 with a long reason', $ws, 1000);

    $ws = open_one();
    $ws->frame(opcode => 8, data => pack('n', 1000) . '*' x 124);
    dead('7.3.6 with too long a one', $ws, 1002);

    $ws = open_one();
    $ws->frame(opcode => 8, data => pack('n', 1000) . "\xce\xba\xed\xa0\x80");
    dead('7.5 a reason that is no UTF-8', $ws, 1007);

    for my $code (1000 .. 1003, 1007 .. 1011, 3000, 3999, 4000, 4999) {
        $ws = open_one();
        $ws->frame(opcode => 8, data => pack 'n', $code);
        dead('7.7', $ws, $code);
    }

    for my $code (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000,
                  65535)
    {
        $ws = open_one();
        $ws->frame(opcode => 8, data => pack 'n', $code);
        dead("7.9 $code", $ws, 1002);
    }
}

# 9: sizes, and what no frame may be
{
    my $ws = open_one();

    $ws->frame(data => '*' x 8193);
    dead('9 a frame over 8 KiB', $ws, 1009);

    $ws = open_one();
    $ws->raw(B(fin => 0, data => '*' x 5000)
             . B(opcode => 0, data => '*' x 5000));
    dead('9 a message over 8 KiB', $ws, 1009);

    $ws = open_one();
    $ws->raw(B(len => 2 ** 40, long => 8, data => 'much'));
    dead('9 a frame that would be huge', $ws, 1009);

    $ws = open_one();
    $ws->raw("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff....");
    dead('9 a length with the first bit', $ws, 1002);

    $ws = open_one();
    $ws->frame(data => 'x', mask => 0);
    dead('9 a frame without a mask', $ws, 1002);

    $ws = open_one();
    $ws->frame(data => 'x', long => 2);
    dead('9 a length that could be shorter', $ws, 1002);
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg|error)\]/,
       'no alarm in the log');

# pings, and who doesn't answer
serve('rooms_stream_heartbeat 250ms;');
{
    my $mute = ws('bob', '?since=now');

    $mute->{mute} = 1;
    is(($mute->closed)[0], 4003, 'two pings without a pong');
    cmp_ok($mute->{pings}, '==', 2, 'there were two');

    my $ws = ws('bob', '?since=now');

    $ws->next('caught_up');
    make(group => 'cy', name => 'Elsewhere');
    ok($ws->next('caught_up'), 'a beat says how far others have come');
    $ws->next('none', 1 / patience());
    cmp_ok($ws->{pings}, '>=', 3, 'who answers lives');
    alive('pings', $ws);
}

# any page may, if all are listed
serve('location = /v1/stream { rooms on; rooms_cors_origin *; }');
ok(ws('bob', '?since=now', Origin => 'https://any.example')->next('hello'),
   'of any page');

# a reload
serve('', workers => 2);
{
    my @ws = map { ws('bob', '?since=now') } 1 .. 10;

    $_->next('caught_up') for @ws;
    nginx_reload();

    my %codes;

    $codes{($_->closed)[0] // 'none'}++ for @ws;
    is_deeply(\%codes, { 1001 => 10 }, 'a reload: 1001');

    my @ends = map { grep { $_->{type} eq 'end' } @{$_->{said}} } @ws;

    is(scalar(grep { $_->{reconnect} && $_->{retry} >= 1000
                     && $_->{retry} <= 5000 } @ends), 10,
       'and when to come back');
}

done_testing();
