# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/import: what comes out of a bundle.  What is refused is in
# t/23-import-refused.t.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle event form manifest medium zip);
use RoomsTest::Process qw(wait_for);
use Test::More;

use Digest::SHA qw(sha256_hex);
use File::Find ();
use File::Temp qw(tempdir);
use JSON::PP ();

my $media = tempdir('rooms-media-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;

my $conf = <<"CONF";
    rooms on;
    rooms_auth mock;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_server_name new.example;
    rooms_media_path $media;
    rooms_import_limits unpacked=8m entries=50 ratio=100 stored=4m;
    client_max_body_size 2m;

    location = /v1/rooms/import {
        rooms on;
        client_max_body_size 32m;
    }

    location = /status { rooms_status; }
CONF

run_nginx($conf);

sub call {
    my ($method, $path, $token, $body, %headers) = @_;
    my $r = http_req($method, $path, "mock:$token", $body, %headers);

    $r->[2] = eval { $json->decode($r->[2]) } if $r->[1]{'content-type'}
        && $r->[1]{'content-type'} =~ /json/;

    return $r;
}

# import($token, $file, field => value, _header => value)
sub import_as {
    my ($token, $file, %fields) = @_;
    my %headers = map { substr($_, 1) => delete $fields{$_} }
                  grep { /^_/ } keys %fields;
    my $query = delete $headers{query} // '';
    my ($body, $type) = form($file, %fields);

    return call('POST', "/v1/rooms/import$query", $token, $body,
                'Content-Type' => $type, %headers);
}

sub events_of {
    my ($token, $room) = @_;
    my ($from, @events) = ('');

    do {
        my $r = call('GET', "/v1/rooms/$room/messages?direction=forward"
                            . "&limit=200$from", $token);
        push @events, @{ $r->[2]{data} };
        $from = $r->[2]{meta}{has_more}
                ? "&from=$r->[2]{meta}{next_cursor}" : undef;
    } while (defined $from);

    return @events;
}

# What a key holds; DUMP would tell the order inside too, which Redis changes.
sub value {
    my ($key) = @_;
    my %read = (string => ['GET'], hash => ['HGETALL'],
                list => ['LRANGE', 0, -1], set => ['SMEMBERS'],
                zset => ['ZRANGE', 0, -1, 'WITHSCORES']);
    my ($command, @range) = @{ $read{ redis('TYPE', $key) } // return };
    my $reply = redis($command, $key, @range) // return;

    return $reply unless ref $reply;
    return @$reply unless $command eq 'HGETALL' || $command eq 'SMEMBERS';

    my $n = $command eq 'HGETALL' ? 2 : 1;
    my @items = map { join '=', @$reply[$n * $_ .. $n * $_ + $n - 1] }
                0 .. @$reply / $n - 1;

    return sort @items;
}

# All that an import could leave: keys with their values, files.
sub state {
    my (@keys, @files);

    for my $key (sort @{ redis('KEYS', '*') }) {
        next if $key =~ /:(?:commit|idem|lease):/;
        push @keys, "$key " . join ' ', value($key);
    }

    File::Find::find(sub { push @files, $File::Find::name if -f }, $media);

    return join "\n", @keys, sort @files;
}

# The state is what it was, soon: what a refused import had written is removed
# while its answer is on its way.
sub left {
    my ($before, $name) = @_;

    wait_for(3, sub { state() eq $before });
    is(state(), $before, $name);
}

sub refused {
    my ($name, $file, $status, $code, $problem, %fields) = @_;
    my $before = state();
    my $r = import_as('ina@t', $file, %fields);
    my $error = $r->[2]{error};
    my $text = $json->encode($error->{details} // []);

    my $ok = $r->[0] == $status && $error->{code} eq $code
             && $text =~ $problem;

    ok($ok, "$name: $status $code")
        or diag("got $r->[0] " . $json->encode($r->[2] // {}));
    left($before, "$name: nothing is left");

    return $error;
}

is(call('POST', '/v1/auth/register', 'ina@t')->[0], 200, 'the importer');


# ------------------------------------------------------------ what comes in

subtest 'a room' => sub {
    my ($m1, $e1) = medium('first content', 'a.txt', media_id => 'med-old1');
    my ($m2, $e2) = medium("\0\1binary" x 5000, 'b.bin',
                           media_id => 'med-old2',
                           mime_type => 'image/png');
    my ($m3) = medium('first content', 'copy.txt', media_id => 'med-old3');
    my @e = map { event(10 * $_, "m $_") } 1 .. 9;

    # an edited message, its edit, a redaction, a reaction, attachments
    $e[1]{content} = { body => 'new', media_id => 'med-old1' };
    $e[1]{original_content} = { body => 'old', media_id => 'med-old1' };
    $e[1]{edited_at} = '2023-11-15T00:00:00.5+01:00';
    $e[2] = event(30, { replaces => $e[1]{id}, content =>
                        { body => 'new', media_id => 'med-old1' } });
    $e[3] = event(40, {}, redacted_at => '2023-11-16T00:00:00Z');
    $e[4] = event(50, { event_id => $e[3]{id}, reason => 'spam' },
                  event_type => 'swp.room.redaction');
    $e[5] = event(60, { event_id => $e[0]{id}, emoji => "\x{1f600}",
                        action => 'add' },
                  event_type => 'swp.room.reaction', sender_id => 'bob');
    $e[6] = event(70, { body => 'two', attachments =>
                        [{ media_id => 'med-old2', w => 10 }, 7,
                         { media_id => 'med-gone' }] });
    $e[7] = event(80, { body => 'kept', _imported_sender =>
                        { display_name => 'Far', avatar_url => undef,
                          fqid => '@far:away' } });
    $e[8] = event(90, { event_id => $e[0]{id} },
                  event_type => 'swp.room.read_marker');
    delete $e[0]{created_at};

    my $r = import_as('ina@t', bundle(manifest(events => \@e,
                      media => [$m1, $m2, $m3],
                      missing_media => [{ media_id => 'med-gone' }]),
                      $e1, $e2));

    is($r->[0], 201, 'made') or diag($json->encode($r->[2]));

    my $data = $r->[2]{data};

    like($data->{id}, qr/^room-[0-9a-z]{26}$/, 'an id');
    is($r->[1]{location}, "/v1/rooms/$data->{id}", 'Location');
    is($data->{room_alias}, '#old-room:new.example', 'an alias of here');
    is($data->{events_imported}, 8, 'read markers stay behind');
    is($data->{media_imported}, 3, 'media');

    my $room = call('GET', "/v1/rooms/$data->{id}", 'ina@t')->[2]{data};

    is($room->{name}, 'Old room', 'name');
    is($room->{topic}, 'Talk', 'topic');
    is($room->{room_type}, 'group', 'type');
    is($room->{creator_id}, 'ina', 'the importer made it');
    is($room->{members_count}, 1, 'and is alone');
    is($room->{me}{power_level}, 100, 'at power 100');
    is($room->{me}{unread_count}, 0, 'with nothing unread');

    my @got = events_of('ina@t', $data->{id});

    is(scalar @got, 9, 'events, and that of the creation');

    my $last = pop @got;

    is($last->{event_type}, 'swp.room.create', 'which is the last one');
    is($last->{content}{imported}, JSON::PP::true, 'and says so');
    is($room->{last_event_position}, $last->{stream_position},
       'the room knows it');
    is_deeply([map { $_->{stream_position} } @got],
              [map { $got[0]{stream_position} + $_ } 0 .. 7],
              'positions are in order, without a gap');
    cmp_ok($last->{stream_position}, '>', $got[7]{stream_position},
           'and before that of the creation');

    for (@got) {
        is($_->{sender_id}, 'ina', 'sender');
        is($_->{room_id}, $data->{id}, 'room');
        is($_->{do_not_index}, JSON::PP::true, 'not indexed');
        like($_->{id}, qr/^evt-[0-9a-f]{29}$/, 'a new id');
        like($_->{id}, qr/^evt-@{[ sprintf "%013x", $_->{stream_position} ]}/,
             'of its place');
    }

    my $alice = { display_name => 'Alice', fqid => '@alice:old.example',
                  avatar_url => undef };

    is_deeply($got[0]{content}, { body => 'm 1', _imported_sender => $alice },
              'the author');
    is($got[0]{origin_ts}, 1700000010, 'origin_ts');
    is($got[0]{created_at}, '2023-11-14T22:13:30.000Z',
       'created_at of origin_ts');
    is($got[3]{created_at}, $e[3]{created_at}, 'created_at as it was');

    my $new1 = $got[1]{content}{media_id};

    like($new1, qr/^med-[0-9a-z]{26}$/, 'media ids are new');
    is($got[1]{original_content}{media_id}, $new1, 'in the original too');
    ok(!exists $got[1]{original_content}{_imported_sender},
       'which is as it was');
    is($got[2]{content}{content}{media_id}, $new1, 'and in the edit');
    is($got[2]{content}{replaces}, $got[1]{id}, 'which edits the new event');
    is($got[1]{edited_at}, '2023-11-14T23:00:00.500Z', 'edited_at, in UTC');
    is($got[3]{redacted_at}, '2023-11-16T00:00:00.000Z', 'redacted_at');
    is($got[4]{content}{event_id}, $got[3]{id}, 'a redaction names it');
    is($got[5]{content}{event_id}, $got[0]{id}, 'a reaction too');
    is($got[5]{content}{emoji}, "\x{1f600}", 'with its emoji');
    is($got[5]{content}{_imported_sender}{display_name}, 'bob',
       'an author who is no participant');
    is($got[6]{content}{attachments}[2]{media_id}, 'med-gone',
       'lost media keep their id');
    is($got[7]{content}{_imported_sender}{fqid}, '@far:away',
       'an author from before stays');

    my $new2 = $got[6]{content}{attachments}[0]{media_id};
    my $info = call('GET', "/v1/media/$new2/info", 'ina@t')->[2]{data};

    is($info->{sha256}, $m2->{sha256}, 'the medium: sha256');
    is($info->{mime_type}, 'image/png', 'type');
    is($info->{name}, 'b.bin', 'name');
    is(http_req('GET', "/v1/media/download/$new2", 'mock:ina@t')->[2],
       "\0\1binary" x 5000, 'bytes');
    is(http_req('GET', "/v1/media/download/$new1", 'mock:ina@t')->[2],
       'first content', 'those of the other');
    is(redis('HGET', 'sw:{t}:blobs', $m1->{sha256}), 2,
       'a content that two media share is counted twice');
    is(call('GET', "/v1/media/$new2/info", 'eve@other')->[0], 404,
       'another tenant has none of it');

    is(redis('TTL', "sw:{t}:r:$data->{id}:events"), -1, 'events stay');
    is(redis('TTL', "sw:{t}:r:$data->{id}:$_"), -1, "$_ too")
        for qw(copies authors tally counts);
    is_deeply($json->decode($json->encode(
              [sort @{ redis('HKEYS', 'sw:{t}:participants') }])), ['ina'],
              'no participant was made');

    # a redaction finds the bodies that the edits hold

    $r = call('POST', "/v1/rooms/$data->{id}/events/$got[1]{id}/redact",
              'ina@t', {});
    is($r->[0], 200, 'the imported message is redacted');
    @got = events_of('ina@t', $data->{id});
    is_deeply($got[2]{content}, { replaces => $got[1]{id} },
              'and what its edit held is gone');
};

subtest 'kinds, names, workspaces' => sub {
    my $r = import_as('ina@t', bundle(manifest(room =>
                      { room_type => 'dm', name => undef })));
    my $room = call('GET', "/v1/rooms/$r->[2]{data}{id}", 'ina@t')->[2]{data};

    is($room->{room_type}, 'group', 'a DM becomes a group');
    is($room->{name}, 'Imported conversation', 'with a name');

    $r = import_as('ina@t', bundle(manifest(room =>
                   { room_type => 'public', name => 'Town square' })),
                   name => ' My square ');
    $room = call('GET', "/v1/rooms/$r->[2]{data}{id}", 'bob@t')->[2]{data};
    is($room->{room_type}, 'public', 'a public room stays public');
    is($room->{name}, 'My square', 'a name of the form');

    my $ws = call('POST', '/v1/workspaces', 'ina@t', { name => 'Team' })
             ->[2]{data}{id};

    $r = import_as('ina@t', bundle(manifest()), workspace_id => $ws);
    $room = call('GET', "/v1/rooms/$r->[2]{data}{id}", 'ina@t')->[2]{data};
    is($room->{workspace_id}, $ws, 'a workspace of the form');
    is($r->[2]{data}{room_alias}, '#old-room-2:new.example',
       'the alias is numbered');

    $r = import_as('bob@t', bundle(manifest()), workspace_id => $ws);
    is("$r->[0] $r->[2]{error}{code}", '404 SW_WORKSPACE_NOT_FOUND',
       'not for strangers, to whom it does not exist');
    call('POST', "/v1/workspaces/$ws/members", 'ina@t',
         { participant_id => 'bob', role => 'viewer' });
    $r = import_as('bob@t', bundle(manifest()), workspace_id => $ws);
    is($r->[2]{error}{code}, 'SW_WORKSPACE_FORBIDDEN', 'nor for viewers');
    $r = import_as('bob@t', bundle(manifest()), workspace_id => 'ws-nope');
    is("$r->[0] $r->[2]{error}{code}", '404 SW_WORKSPACE_NOT_FOUND',
       'nor one that is not there');

    $r = import_as('ina@t', bundle(manifest(events => [])));
    is($r->[2]{data}{events_imported}, 0, 'a room without events');
    is(scalar(events_of('ina@t', $r->[2]{data}{id})), 1, 'was created');
};

subtest 'how it may be written' => sub {
    my @e = map { event($_, "m $_") } 1 .. 3;
    my $text = $json->pretty->encode(manifest(events => \@e));

    $json->pretty(0);
    $text =~ s/"body" :/"b\\u006fdy" :/;
    $text =~ s/"sender_id"/"sender\\u005fid"/;
    $text =~ s/"body" : "m 2"/"n" : 1.10, "e": 1E2, "body": "\\u00e9\\\/"/;

    my $r = import_as('ina@t', bundle($text));
    is($r->[0], 201, 'with escapes and white space')
        or diag($json->encode($r->[2]));

    my $raw = redis('ZRANGE', "sw:{t}:r:$r->[2]{data}{id}:events", 0, -1);
    is(scalar(grep { /"n":1\.10,"e":1E2,/ } @$raw), 1,
       'numbers keep their digits');
    is(scalar(grep { /\s"/ } @$raw), 0, 'white space goes');
    is(scalar(grep { /"_imported_sender":0\}/ } @$raw),
       3, 'an escaped key is the same key');
    is(scalar(grep { ($_->{content}{_imported_sender}{display_name} // '')
                     eq 'Alice' } events_of('ina@t', $r->[2]{data}{id})),
       3, 'and so is the author');

    # members in another order, and lists as arrays
    my $m = manifest(events => \@e);
    my %p = %{ delete $m->{participants} };
    my $list = $json->encode([map { { participant_id => $_, %{ $p{$_} } } }
                              keys %p]);
    my $events = $json->encode(delete $m->{events});
    my $rest = $json->encode($m);
    $rest =~ s/^\{//;

    $r = import_as('ina@t', bundle("{\"events\":$events,"
                                   . "\"participants\":$list,$rest"));
    is($r->[0], 201, 'events first') or diag($json->encode($r->[2]));
    my @got = events_of('ina@t', $r->[2]{data}{id});
    is($got[0]{content}{_imported_sender}{display_name}, 'Alice',
       'the author is found');

    my (undef, $entry) = medium('not listed', 'a.txt');

    $r = import_as('ina@t', zip({ name => 'media/', method => 0 }, $entry,
                   { name => 'readme.txt', data => 'hello' },
                   { name => 'manifest.json', method => 0,
                     data => $json->encode(manifest()), zip64 => 1 }));
    is($r->[0], 201, 'stored, ZIP64, with what a re-packer adds')
        or diag($json->encode($r->[2]));

    my ($body, $type) = form(bundle(manifest()));
    my $chunked = join '', map { sprintf("%x\r\n%s\r\n", length $_, $_) }
                  unpack('(a300)*', $body), '';

    $r = call('POST', '/v1/rooms/import', 'ina@t', $chunked,
              'Content-Type' => $type, 'Transfer-Encoding' => 'chunked');
    is($r->[0], 201, 'a chunked body') or diag($json->encode($r->[2]));
};

subtest 'edits of what is not there, forward references' => sub {
    my @e = map { event($_, "m $_") } 1 .. 3;

    $e[0]{content} = { replaces => 'evt-elsewhere', content => {} };
    $e[1]{content} = { event_id => $e[2]{id}, emoji => 'x', action => 'add' };
    $e[1]{event_type} = 'swp.room.reaction';

    my $r = import_as('ina@t', bundle(manifest(events => \@e)));
    my @got = events_of('ina@t', $r->[2]{data}{id});

    is($got[0]{content}{replaces}, 'evt-elsewhere', 'stays');
    is($got[1]{content}{event_id}, $got[2]{id}, 'is found');
    is(redis('EXISTS', "sw:{t}:r:$r->[2]{data}{id}:copies"), 0,
       'no copies, no key');
    is_deeply($got[2]{reactions},
              [{ emoji => 'x', count => 1, me => JSON::PP::false }],
              'and counts');
};

subtest 'Idempotency-Key' => sub {
    my $file = bundle(manifest());
    my $first = import_as('ina@t', $file, '_Idempotency-Key' => 'k1');
    my $rooms = redis('HGET', 'sw:{t}:tenant', 'rooms');
    my $again = import_as('ina@t', $file, '_Idempotency-Key' => 'k1');

    is($first->[0], 201, 'the first');
    is($again->[0], 201, 'a replay');
    is_deeply($again->[2], $first->[2], 'has the same answer');
    is($again->[1]{location}, $first->[1]{location}, 'and Location');
    is($again->[1]{'idempotency-replayed'}, 'true', 'and says so');
    is(redis('HGET', 'sw:{t}:tenant', 'rooms'), $rooms, 'no room was made');

    my $other = import_as('ina@t', bundle(manifest(events => [])),
                          '_Idempotency-Key' => 'k1');
    is("$other->[0] $other->[2]{error}{code}", '409 SW_IDEMPOTENCY_CONFLICT',
       'another bundle under that key');
    $other = import_as('ina@t', $file, name => 'else',
                       '_Idempotency-Key' => 'k1');
    is($other->[2]{error}{code}, 'SW_IDEMPOTENCY_CONFLICT', 'another name');

    my $bad = import_as('ina@t', 'nonsense', '_Idempotency-Key' => 'k2');
    is($bad->[0], 400, 'a refusal');
    is(import_as('ina@t', $file, '_Idempotency-Key' => 'k2')->[0], 201,
       'leaves the key free');

    my ($body, $type) = form($file);
    my $many = http_many([map { ['POST', '/v1/rooms/import', 'mock:ina@t',
                                 $body, 'Content-Type' => $type,
                                 'Idempotency-Key' => 'k3'] } 1 .. 8]);
    my %ids = map { $_->[2] =~ /"id":"(room-\w+)"/ ? ($1 => 1) : () } @$many;
    is(scalar keys %ids, 1, 'eight at once make one room');
    is(scalar(grep { $_->[0] != 201 && $_->[0] != 409 } @$many), 0,
       'the others wait or see it');
};


# ------------------------------------------------------------- what doesn't

my $valid = bundle(manifest());
my ($m1, $e1) = medium('some content', 'a.txt');
my $with_media = bundle(manifest(media => [$m1]), $e1);
my @bad = qw(400 SW_BUNDLE_INVALID);

subtest 'truncated' => sub {
    my $before = state();
    my $n = length $with_media;
    my @at = (0 .. 60, map({ $n - $_ } 1 .. 80),
              map { int $n * $_ / 50 } 1 .. 49);
    my ($wrong, @requests) = (0);

    for (@at) {
        my ($body, $type) = form(substr $with_media, 0, $_);
        push @requests, ['POST', '/v1/rooms/import', 'mock:ina@t', $body,
                         'Content-Type' => $type];
    }

    for (@{ http_many(\@requests, 8) }) {
        $wrong++ if $_->[0] != 400 || $_->[2] !~ /SW_BUNDLE_INVALID/;
    }

    is($wrong, 0, 'anywhere');
    left($before, 'nothing is left');
};

subtest 'every byte' => sub {
    # no flipped bit may crash, or make a room of a medium that is broken
    my $n = length $with_media;
    my @requests;

    for (0 .. $n - 1) {
        my $file = $with_media;

        substr($file, $_, 1) ^= chr(1 << $_ % 8);

        my ($body, $type) = form($file);
        push @requests, ['POST', '/v1/rooms/import?dry_run=true',
                         'mock:ina@t', $body, 'Content-Type' => $type];
    }

    my $before = state();
    my $odd = grep { $_->[0] != 200 || $_->[2] !~ /"valid":/ }
              @{ http_many(\@requests, 16) };

    is($odd, 0, 'each has its report');
    left($before, 'nothing is left');
};

# As people pack again what they have unpacked: the headers are those that
# these programs write.
subtest 'packed again' => sub {
    my @content = ("first \x{e9}", 'second', '');
    my @sha = map { sha256_hex($_) } @content;
    my %json = (data => $json->encode(manifest(
        media => [map { { sha256 => $sha[$_], size => length $content[$_],
                          media_id => "m$_", mime_type => 'text/plain',
                          name => "n$_.txt" } } 0 .. 2],
        events => [map { event($_ + 1, { media_id => "m$_" }) } 0 .. 2])));

    # taken($name, $options, entries...): a room with the three media
    my $taken = sub {
        my ($name, @entries) = @_;
        my $r = import_as('ina@t', zip(@entries));

        is("$r->[0] " . ($r->[2]{data}{media_imported} // ''), '201 3', $name)
            or diag($json->encode($r->[2]));
    };
    # three media where $path says
    my $media = sub {
        my ($path, %more) = @_;
        return map { { name => $path->($sha[$_], "n$_.txt"),
                       data => $content[$_], %more } } 0 .. 2;
    };
    my $ours = sub { "media/$_[0]/$_[1]" };

    $taken->('media/<sha>', { name => 'manifest.json', %json },
             $media->(sub { "media/$_[0]" }));
    $taken->('media/<sha>.<ext>', { name => 'manifest.json', %json },
             $media->(sub { "media/$_[0].tar.gz" }));
    $taken->('media/<sha>/<any name>', { name => 'manifest.json', %json },
             $media->(sub { "media/$_[0]/\xc3\xbc b" }));

    # macOS, Archive Utility: in a folder, names in UTF-8 without a flag,
    # sizes behind the data, a second tree of what only macOS understands
    my $mac = sub {
        my ($e) = @_;
        my $crc = Compress::Raw::Zlib::crc32($e->{data});
        my $packed = RoomsTest::Bundle::deflated($e->{data});
        my %l = (flags => 8, crc => 0, csize => 0, usize => 0,
                 extra => "UX\x0c\0" . 'x' x 12);

        return { %$e, method => 8, local => \%l,
                 central => { flags => 8, made => 0x0315,
                              extra => "UX\x08\0" . 'x' x 8 },
                 after => pack('V V V V', 0x08074b50, $crc, length $packed,
                               length $e->{data}) };
    };
    my $folder = sub {
        my ($name, $attr) = @_;
        return { name => $name, method => 0, local => { flags => 0 },
                 central => { flags => 0, attr => $attr } };
    };

    $taken->('macOS', $folder->('Old room/', 040755 << 16),
             (map { $mac->($_) }
              { name => 'Old room/.DS_Store', data => "\0\0\0\1Bud1" },
              { name => '__MACOSX/Old room/._.DS_Store', data => "\0\5" },
              { name => 'Old room/manifest.json', %json },
              { name => '__MACOSX/Old room/._manifest.json', data => "\0\5" }),
             $folder->('Old room/media/', 040755 << 16),
             (map { $mac->($_) }
              $media->(sub { "Old room/media/$_[0]/u\xcc\x88" }),
              $media->(sub { "__MACOSX/Old room/media/$_[0]/._u\xcc\x88" }),
              { name => "Old room/media/$sha[0]/._n0.txt", data => "\0\5" }));

    # bsdtar: "./" before all, itself, too; filled up with NULs
    my $tar = zip($folder->('./', 040755 << 16),
                  { name => './manifest.json', %json },
                  $folder->('./media/', 040755 << 16),
                  (map { $folder->("./media/$_/", 040755 << 16) } @sha),
                  $media->(sub { './' . $ours->(@_) }));
    my $r = import_as('ina@t', $tar . "\0" x (10240 - length($tar) % 10240));
    is($r->[0], 201, 'bsdtar') or diag($json->encode($r->[2]));

    # Windows Explorer and 7-Zip: names in the code page of DOS
    my %dos = (local => { flags => 0 },
               central => { flags => 0, made => 20, attr => 0x20 });
    $taken->('Explorer', { name => "Raum f\x81r Gr\x81\xe1e\\manifest.json",
                           %json, %dos },
             $media->(sub { "Raum f\x81r Gr\x81\xe1e/media/$_[0]/\x8e\xff.txt" },
                      %dos));
    $taken->('an empty folder', { name => 'manifest.json', %json },
             $folder->('media/empty/', 0x10), $media->($ours));

    # PowerShell 5: backslashes
    $taken->('PowerShell', { name => 'manifest.json', %json, %dos },
             $folder->('media\\', 0),
             $media->(sub { "media\\$_[0]\\$_[1]" }, %dos));

    # .NET and others: ZIP64 fields of sizes that stand in the header, too
    my $sizes = sub {
        my ($e) = @_;
        my $packed = RoomsTest::Bundle::deflated($e->{data});
        my $both = pack 'v v Q< Q<', 1, 16, length $e->{data}, length $packed;

        return { %$e, method => 8, local => { extra => $both },
                 central => { extra => $both } };
    };
    $taken->('ZIP64 fields that nobody needs',
             map { $sizes->($_) } { name => 'manifest.json', %json },
             $media->($ours));

    # a name in a code page, and the right one beside it
    my $unicode = sub {
        my ($e, $name) = @_;
        my $extra = pack('v v C V', 0x7075, 5 + length $name, 1,
                         Compress::Raw::Zlib::crc32($e->{name})) . $name;
        return { %$e, local => { flags => 0, extra => $extra },
                 central => { flags => 0, extra => $extra } };
    };
    $taken->('Unicode paths', { name => 'manifest.json', %json },
             map { my $n = $_->{name};
                   $unicode->({ %$_, name => $n =~ s/n\d/\x81/r },
                              $n =~ s/n\d/\xc3\xbc/r) }
             $media->($ours));
    refused('a Unicode path of another name',
            zip({ name => 'manifest.json', %json }, $media->($ours),
                $unicode->({ name => 'a', data => 'x' }, '../b')),
            @bad, qr/climbs/);

    # real ones: those programs that are here
    my $dir = tempdir('rooms-pack-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $put = sub {
        my ($name, $data) = @_;
        my $path = '';

        for (split m{/}, "$dir/$name") {
            mkdir $path if length $path;
            $path = length $path || $_ eq '' ? "$path/$_" : $_;
        }

        open my $f, '>:raw', $path or die "$path: $!";
        print $f $data;
        close $f or die $!;
    };

    $put->('room/manifest.json', $json{data});
    $put->("room/media/$sha[$_]/n$_.txt", $content[$_]) for 0 .. 2;

    my %pack = (
        'zip -qr' => 'zip -qr %s room', 'zip -0' => 'cd room; zip -qr0 %s .',
        'zip -fz' => 'zip -qr -fz %s room', 'zip -' => 'zip -qr - room >%s',
        'bsdtar -a' => 'bsdtar -a -cf %s room',
        'bsdtar .' => 'cd room; bsdtar --format zip -cf %s .',
        'bsdtar -' => 'bsdtar --format zip -cf - ./room | cat >%s',
        '7zz a' => '7zz a %s room >/dev/null',
        '7zz -mx9' => 'cd room; 7zz a -mx=9 %s . >/dev/null',
        'python3 -m' => 'python3 -m zipfile -c %s room',
    );

    for my $name (sort keys %pack) {
        my ($tool) = split / /, $name;

        next if system("command -v $tool >/dev/null 2>&1");

        my $command = sprintf $pack{$name}, "$dir/out.zip";

        unlink "$dir/out.zip";
        is(system("cd $dir && $command"), 0, "$name packs");

        open my $f, '<:raw', "$dir/out.zip" or next;
        local $/;
        my $r = import_as('ina@t', <$f>);
        is("$r->[0] " . ($r->[2]{data}{media_imported} // ''), '201 3',
           "$name: imported") or diag($json->encode($r->[2]));
    }
};

# What a dry run says, an import does.
sub both {
    my ($name, $good, $manifest, @entries) = @_;
    my $file = bundle($manifest, @entries);
    my $dry = import_as('ina@t', $file, dry_run => 'true');
    my $r = import_as('ina@t', $file);

    is($dry->[2]{data}{valid} ? 1 : 0, $good ? 1 : 0, "$name: the dry run")
        or diag($json->encode($dry->[2]));
    is($r->[0], $good ? 201 : 400, "$name: the import")
        or diag($json->encode($r->[2]));

    return $r->[2]{data};
}

subtest 'a dry run and an import' => sub {
    my $text = sub {
        my ($find, $replace) = @_;
        my $out = $json->encode(manifest());

        $out =~ s/\Q$find\E/$replace/ or die $find;

        return $out;
    };

    # numbers keep their digits beside escapes, too
    my $data = both('1e15 beside an escape', 1,
                    $text->('"body":"message 2"',
                            '"bo\u0064y":1e15,"n":[1.10,-0,1E+2]'));
    my $raw = redis('ZRANGE', "sw:{t}:r:$data->{id}:events", 1, 1)->[0];
    like($raw, qr/"bo\\u0064y":1e15,"n":\[1\.10,-0,1E\+2\]/, 'as written');

    both('many of them', 1, $text->('"body":"message 2"', '"\u0062":['
                                   . join(',', ('1e15') x 5000) . ']'));

    # a limit holds however its key is written
    my $long = 'x' x 75_000;

    both('content is too long', 0, $text->('"message 2"', qq("$long")));
    both('with an escape', 0,
         $text->('"content":{"body":"message 2"', '"conten\u0074":{"body":"'
                 . $long . '"'));
    both('original_content is', 0,
         $text->('"content":{"body":"message 2"}',
                 '"content":{},"origina\u006c_content":{"a":"' . $long
                 . '"}'));

    # what is too long by its new ids only
    both('by its ids', 0, manifest(media =>
         [{ sha256 => sha256_hex('a'), size => 1, media_id => 'm' }],
         events => [event(1, { attachments =>
                               [map { { media_id => 'm' } } 1 .. 2000] })]),
         { name => 'media/' . sha256_hex('a') . '/a', data => 'a' });

    # levels
    for my $levels (60 .. 66) {
        my $deep = '{"a":' x ($levels - 1) . '{}' . '}' x ($levels - 1);

        both("$levels levels", $levels <= 64,
             $text->('{"body":"message 2"}', $deep));
        both("$levels levels in an edit", $levels <= 64,
             $text->('{"body":"message 2"}', '{"replaces":"'
                     . event(1)->{id} . '","content":' . $deep . '}'));
        both("$levels levels of before", $levels <= 64,
             $text->('"content":{"body":"message 2"}',
                     qq("content":{},"original_content":$deep)));
    }

    # of media, too, there are bounded many
    both('ids of a medium', 0, manifest(media =>
         [{ sha256 => sha256_hex('a'), size => 1,
            media_ids => [map { "m$_" } 1 .. 51] }]),
         { name => 'media/' . sha256_hex('a') . '/a', data => 'a' });
};

# An author stands in the store once, and for readers in each event.
subtest 'authors' => sub {
    my $name = 'n' x 1000;
    my $n = 300;
    my @e = map { event($_, { body => "m$_" },
                        sender_id => $_ % 3 ? 'long' : 'alice') } 1 .. $n;

    $e[-1]{edited_at} = '2023-11-15T00:00:00Z';
    $e[-1]{original_content} = { body => 'was', _imported_sender =>
                                 { display_name => 'Before' } };

    my $manifest = manifest(events => \@e);
    $manifest->{participants}{long}
        = { display_name => $name, fqid => '@long:old.example',
            avatar_url => 'https://a.example/' . 'x' x 1500 };
    my $r = import_as('ina@t', bundle($manifest));
    my $room = $r->[2]{data}{id};

    is($r->[0], 201, 'made') or diag($json->encode($r->[2]));
    is(redis('HLEN', "sw:{t}:r:$room:authors"), 3, 'three authors');
    is(redis('TTL', "sw:{t}:r:$room:authors"), -1, 'that stay');

    my $bytes = 0;
    $bytes += length for @{ redis('ZRANGE', "sw:{t}:r:$room:events", 0, -1) };
    cmp_ok($bytes, '<', 500 * $n, "$bytes bytes of events in the store");

    # all readers see the same
    my $right = sub {
        my ($what, @got) = @_;

        @got = grep { $_->{event_type} eq 'swp.room.message' } @got;
        is(scalar @got, $n, "$what: events");
        is(scalar(grep {
               ($_->{content}{_imported_sender}{display_name} // '') eq
               ($_->{content}{body} =~ /(\d+)/ && $1 % 3 ? $name : 'Alice')
           } @got), $n, "$what: each has its author");
        is($got[-1]{original_content}{_imported_sender}{display_name},
           'Before', "$what: so has an original");
    };

    $right->('messages', events_of('ina@t', $room));

    my ($since, @synced) = (0);

    while (1) {
        my $page = call('GET', "/v1/sync?since=$since&limit=500&timeout=0",
                        'ina@t')->[2]{data};
        push @synced, grep { $_->{room_id} eq $room } @{ $page->{events} };
        $since = $page->{next_cursor};
        last unless $page->{has_more};
    }

    $right->('sync', @synced);

    my $zip = http_req('GET', "/v1/rooms/$room/export", 'mock:ina@t')->[2];
    my $out = $json->decode(RoomsTest::Bundle::unzip($zip)->{'manifest.json'});

    $right->('export', @{ $out->{events} });

    # what we export, we import: and nobody is there twice
    my $again = import_as('ina@t', $zip);
    is($again->[0], 201, 'imported again')
        or diag($json->encode($again->[2]));
    $right->('again', events_of('ina@t', $again->[2]{data}{id}));
    is(redis('HLEN', "sw:{t}:r:$again->[2]{data}{id}:authors"), 4,
       'the same authors, and whoever made the room');

    # an event that is changed
    my ($event) = grep { ($_->{content}{body} // '') eq 'm1' }
                  events_of('ina@t', $room);
    $r = call('POST', "/v1/rooms/$room/events/$event->{id}/redact", 'ina@t',
              '{}');
    is($r->[0], 200, 'redacted');
    is_deeply($r->[2]{data}{content}, {}, 'and wiped');
};

# What refers to something refers to it in the new room.
subtest 'replies and thumbnails' => sub {
    my $room = call('POST', '/v1/rooms', 'ina@t',
                    '{"room_type": "group", "name": "refs"}')->[2]{data}{id};
    my $upload = sub {
        my ($body, $type) = form($_[0]);
        return call('POST', '/v1/media/upload', 'ina@t', $body,
                    'Content-Type' => $type)->[2]{data}{media_id};
    };
    my $post = sub {
        my ($path, $content) = @_;
        return call('POST', "/v1/rooms/$room/$path", 'ina@t',
                    $json->encode({ content => $content }))->[2]{data};
    };

    # five contents: of a message, its thumbnail, an attachment's, an edit
    # that was edited again, and the last one
    my @m = map { $upload->("medium $_ $$") } 0 .. 4;
    my $first = $post->('send', { body => 'first', media_id => $m[0],
                                  thumbnail_id => $m[1] });

    $post->('send', { body => 'answer', reply_to_event_id => $first->{id},
                      attachments => [{ thumbnail_id => $m[2] }] });
    $post->("events/$first->{id}/edit", { body => 'second',
                                          media_id => $m[3] });
    $post->("events/$first->{id}/edit", { body => 'third',
                                          media_id => $m[4] });

    my $zip = http_req('GET', "/v1/rooms/$room/export", 'mock:ina@t')->[2];
    my $out = $json->decode(RoomsTest::Bundle::unzip($zip)->{'manifest.json'});
    is(scalar @{ $out->{media} }, 5, 'all five are exported');

    my $r = import_as('ina@t', $zip);
    is("$r->[0] $r->[2]{data}{media_imported}", '201 5', 'and imported')
        or diag($json->encode($r->[2]));

    my @got = events_of('ina@t', $r->[2]{data}{id});
    my ($edited) = grep { ($_->{content}{body} // '') eq 'third' } @got;
    my ($answer) = grep { ($_->{content}{body} // '') eq 'answer' } @got;

    is($answer->{content}{reply_to_event_id}, $edited->{id},
       'a reply is one to the same message');

    my %old = map { $_ => 1 } @m;
    my @refs = ($edited->{content}{media_id},
                @{ $edited->{original_content} }{qw(media_id thumbnail_id)},
                $answer->{content}{attachments}[0]{thumbnail_id},
                map { $_->{content}{content}{media_id} }
                grep { $_->{content}{replaces} } @got);

    is(scalar @refs, 6, 'six references');

    for (@refs) {
        ok(!$old{$_}, 'a new id');
        is(http_req('GET', "/v1/media/download/$_", 'mock:ina@t')->[0], 200,
           'of a medium');
    }
};

subtest 'limits' => sub {
    my %m = (name => 'manifest.json', data => $json->encode(manifest()));

    # reactions that would be too many to write
    my @reactions = map {
        my $m = 100 * $_;
        (event($m, 'm'), map {
            event($m + $_, { event_id => event($m, '')->{id}, emoji =>
                             chr(0x1f600 + $_) . "\x{1f44d}" x 31 },
                  event_type => 'swp.room.reaction')
        } 1 .. 50);
    } 1 .. 140;

    $_->{content}{action} = 'look' for @reactions;
    is(import_as('ina@t', zip({ name => 'manifest.json', data =>
           $json->encode(manifest(events => \@reactions)) }),
           dry_run => 'true')->[2]{data}{valid}, JSON::PP::true,
       'those that count for nothing are within it');

    # real bytes count, whatever the headers say
    my $packed = RoomsTest::Bundle::deflated('b' x 3_000_000);
    my $r = import_as('ina@t', zip(\%m, { name => 'media/' . '0' x 64 . '/z',
                                          data => 'b' x 1000,
                                          packed => $packed }));
    like("$r->[0] $r->[2]{error}{code}",
         qr/^(?:413 SW_BUNDLE_TOO_LARGE|400 SW_BUNDLE_INVALID)$/,
         'a bomb that is said to be small');

    my ($medium, $entry) = medium(join('', map { chr rand 256 }
                                           1 .. 3_000_000), 'big');
    $r = import_as('ina@t', bundle(manifest(media => [$medium]), $entry));
    is($r->[0], 201, 'a location of its own takes more than the server');
};

subtest 'media' => sub {
    my $r = import_as('ina@t', bundle(manifest(media => [$m1],
                      missing_media => [{ sha256 => $m1->{sha256} }])));
    is("$r->[0] $r->[2]{data}{media_imported}", '201 0',
       'one that was lost before');

    my ($name, $entry) = medium('name', "x.txt");
    $name->{name} = "../../etc/\r\npasswd";
    $name->{mime_type} = "text/html\r\nX: y";
    $name->{media_id} = 'med-x';
    $r = import_as('ina@t', bundle(manifest(media => [$name], events =>
                   [event(1, { media_id => 'med-x' })]), $entry));
    my $id = (events_of('ina@t', $r->[2]{data}{id}))[0]{content}{media_id};
    my $info = call('GET', "/v1/media/$id/info", 'ina@t')->[2]{data};
    is("$info->{name} $info->{mime_type}", 'file application/octet-stream',
       'what no header may hold is not kept');
};

subtest 'events' => sub {
    my $r = import_as('ina@t', bundle(manifest(events =>
                      [event(1, { body => 'x' x 70_000 })])));
    is($r->[0], 201, 'a content of 70,000 bytes');
};

subtest 'the tenant is full' => sub {
    redis('HSET', 'sw:{t}:tenant', 'max_rooms',
          redis('HGET', 'sw:{t}:tenant', 'rooms') + 2);

    my ($body, $type) = form($with_media);
    my $many = http_many([map { ['POST', '/v1/rooms/import', 'mock:ina@t',
                                 $body, 'Content-Type' => $type] } 1 .. 6]);

    is(scalar(grep { $_->[0] == 201 } @$many), 2, 'two of six fit');
    is(scalar(grep { $_->[0] == 409 && $_->[2] =~ /SW_TENANT_CAPACITY/ }
              @$many), 4, 'the others are told');
    ok(wait_for(3, sub {
        !redis('EXISTS', 'sw:{t}:imports')
            && !grep { redis('TTL', $_) > 0 } @{ redis('KEYS', '*:events') };
    }), 'and leave nothing');

    redis('HDEL', 'sw:{t}:tenant', 'max_rooms');
};


# ---------------------------------------------------------------- a dry run

subtest 'dry_run' => sub {
    my $before = state();
    my $position = redis('GET', 'sw:{t}:position');
    my $claims = @{ redis('KEYS', '*idem:*') };

    my $r = import_as('ina@t', $with_media, dry_run => 'true',
                      name => 'Tried', '_Idempotency-Key' => 'dry');
    is($r->[0], 200, 'of a good one');
    is_deeply([@{ $r->[2]{data} }{qw(valid events media faults_total)}],
              [JSON::PP::true, 3, 1, 0], 'says what it would do');
    is($r->[2]{data}{room}{name}, 'Tried', 'and how the room would look');

    my ($m2, $e2) = medium('other', 'b');
    my @e = map { event($_, "m $_") } 1 .. 4;
    $e[0]{sender_id} = 7;
    $e[2]{content} = [];
    $e[3]{created_at} = 'x';
    $r = import_as('ina@t', bundle(manifest(version => 9, events => \@e,
                   media => [$m1, $m2]),
                   { %$e1, local => { crc => 1 }, central => { crc => 1 } }),
                   _query => '?dry_run=true');
    is($r->[0], 200, 'of a bad one');
    is($r->[2]{data}{valid}, JSON::PP::false, 'is not valid');

    my $all = $json->encode($r->[2]{data}{faults});

    like($all, $_, "finds $_") for qr/version/, qr/events\[0\]\.sender_id/,
        qr/events\[2\]\.content/, qr/events\[3\]\.created_at/, qr/CRC/i,
        qr/$m2->{sha256} is not in the archive/;
    is($r->[2]{data}{faults_total}, scalar @{ $r->[2]{data}{faults} },
       'and counts them');

    $r = import_as('ina@t', 'nonsense', dry_run => 'true');
    is($r->[2]{data}{faults_total}, 1, 'of no ZIP');
    $r = import_as('ina@t', bundle(manifest(room =>
                   { room_type => 'bridge', name => 'x' })),
                   dry_run => 'true');
    like($json->encode($r->[2]{data}{faults}), qr/bridge rooms/,
         'of a kind that is refused');

    @e = map { event($_, "m $_", sender_id => undef) } 1 .. 1500;
    $r = import_as('ina@t', bundle(manifest(events => \@e)),
                   dry_run => 'true');
    is($r->[2]{data}{faults_total}, 1500, 'of very many faults');
    is(scalar @{ $r->[2]{data}{faults} }, 1000, 'a thousand are told');

    left($before, 'nothing was written');
    is(redis('GET', 'sw:{t}:position'), $position, 'no position was used');
    is(scalar @{ redis('KEYS', '*idem:*') }, $claims, 'no key was claimed');
};

# NGINX itself tells of a body that is too large

my @odd = grep { /\[(?:alert|crit|emerg|error)\]/ && !/too large body/ }
          split /^/m, nginx_log();

is("@odd", '', 'the log is quiet');

done_testing();
