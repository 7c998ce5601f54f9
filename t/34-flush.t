# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The store is emptied under a worker that has seen its participants: what
# they ask next makes them participants again, and is answered as if it were
# the first.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle event form manifest medium);
use Test::More;

use File::Temp qw(tempdir);
use JSON::PP qw(decode_json encode_json);
use Time::HiRes qw(sleep time);

my $dir = tempdir('rooms-media-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($medium, $entry) = medium('content', 'a.txt', media_id => 'med-1');
my $file = bundle(manifest(media => [$medium]), $entry);
my ($ann, $bob) = ('mock:ann@t', 'mock:bob@t');

run_nginx(<<"CONF");
    rooms on;
    rooms_auth mock;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_media_path $dir;
    client_max_body_size 100m;
CONF

sub request {
    my ($method, $path, $token, $body, %headers) = @_;
    my $r = http_req($method, $path, $token,
                     ref $body ? encode_json($body) : $body, %headers);

    return ($r->[0], eval { decode_json($r->[2]) });
}

sub import_of {
    my ($bytes, $token) = @_;
    my ($body, $type) = form($bytes);

    return request('POST', '/v1/rooms/import', $token, $body,
                   'Content-Type' => $type);
}

# Both are known and have a room; then nothing is.
sub flushed {
    my ($status, $room);

    for ($ann, $bob) {
        ($status) = request('GET', '/v1/workspaces', $_);
        is($status, 200, 'is registered');
    }

    ($status, $room) = request('POST', '/v1/rooms', $ann,
                               { room_type => 'public', name => 'before' });
    is($status, 201, 'a room before');
    redis('FLUSHALL');

    return $room->{data}{id};
}

sub registered {
    my ($who, $name) = @_;
    my $json = redis('HGET', 'sw:{t}:participants', $who);

    ok($json, "$name: $who is a participant again");

    my $ws = $json && decode_json($json)->{workspace_id};

    is($ws && redis('HGET', "sw:{t}:w:$ws:members", $who), 'owner',
       "$name: with a workspace");
}

my %body = (room_type => 'public', name => 'after');
my @first = (
    ['create', 201, sub { request('POST', '/v1/rooms', $ann, \%body) }],
    ['import', 201, sub { import_of($file, $ann) }],
    ['import, to see', 200, sub {
        my ($body, $type) = form($file, dry_run => 'true');
        request('POST', '/v1/rooms/import', $ann, $body,
                'Content-Type' => $type);
    }],
    ['register', 200, sub { request('POST', '/v1/auth/register', $ann) }],
    ['workspaces', 200, sub { request('GET', '/v1/workspaces', $ann) }],
    ['a workspace', 201, sub {
        request('POST', '/v1/workspaces', $ann, { name => 'w' });
    }],
    ['upload', 201, sub {
        my ($body, $type) = form('content');
        request('POST', '/v1/media/upload', $ann, $body,
                'Content-Type' => $type);
    }],
);

for (@first) {
    my ($name, $status, $do) = @$_;

    subtest $name => sub {
        flushed();

        my ($got, $answer) = $do->();

        is($got, $status, "$name: " . ($answer->{error}{code} // 'done'));
        registered('ann', $name);
    };
}

subtest 'what is no longer there' => sub {
    my $room = flushed();

    for (['GET', "/v1/rooms/$room"], ['GET', "/v1/rooms/$room/messages"],
         ['POST', "/v1/rooms/$room/send", { content => { body => 'x' } }],
         ['POST', "/v1/rooms/$room/join"], ['POST', "/v1/rooms/$room/leave"],
         ['PUT', "/v1/rooms/$room/name", { name => 'x' }],
         ['GET', "/v1/rooms/$room/export"])
    {
        my ($method, $path, $body) = @$_;
        my ($status, $answer) = request($method, $path, $ann, $body);

        is($status, 404, "$method $path");
        is($answer->{error}{code}, 'SW_ROOM_NOT_FOUND', 'says what');
    }

    my ($status) = request('GET', '/v1/directory/rooms', $ann);
    is($status, 200, 'the directory');
    ($status) = request('GET', '/v1/sync?timeout=0', $ann);
    is($status, 200, 'sync');
};

subtest 'a DM' => sub {
    flushed();

    my ($status, $answer) = request('POST', '/v1/rooms/dm', $ann,
                                    { participant_id => 'bob' });

    is($status, 404, 'with one who is nobody now');
    is($answer->{error}{code}, 'SW_PARTICIPANT_NOT_FOUND', 'is told');
    registered('ann', 'dm');

    # whose next request makes him one, now that this worker has noticed
    ($status) = request('GET', '/v1/directory/rooms', $bob);
    is($status, 200, 'bob asks for anything');
    registered('bob', 'dm');

    ($status, $answer) = request('POST', '/v1/rooms/dm', $ann,
                                 { participant_id => 'bob' });
    is($status, 201, 'then there is one');
    ($status) = request('POST', "/v1/rooms/$answer->{data}{id}/send", $bob,
                        { content => { body => 'x' } });
    is($status, 201, 'and it is used');
};

subtest 'a join' => sub {
    flushed();

    my (undef, $room) = request('POST', '/v1/rooms', $ann, \%body);

    # seen at a time when nobody had noticed
    my ($status) = request('POST', "/v1/rooms/$room->{data}{id}/join", $bob);

    is($status, 200, 'a new room');
    registered('bob', 'join');

    my $answer;

    ($status, $answer) = request('GET',
                             "/v1/rooms/$room->{data}{id}/members", $ann);
    is_deeply([map { $_->{participant}{display_name} }
               @{ $answer->{data} }], ['ann', 'bob'], 'both have names');
};

# A store that was restored may lack one whom a worker has seen lately.
subtest 'one of them alone' => sub {
    for my $case (['create', 201, '/v1/rooms', \%body],
                  ['create, with a key', 201, '/v1/rooms', \%body,
                   'Idempotency-Key' => 'alone'],
                  ['dm', 201, '/v1/rooms/dm', { participant_id => 'ann' }],
                  ['join', 200])
    {
        my ($name, $wanted, $path, $body, @headers) = @$case;

        redis('FLUSHALL');

        my (undef, $room) = request('POST', '/v1/rooms', $ann, \%body);
        my ($status) = request('GET', '/v1/workspaces', $bob);

        is($status, 200, "$name: bob is registered");

        redis('HDEL', "sw:{t}:$_", 'bob') for qw(participants seen locals);

        $path //= "/v1/rooms/$room->{data}{id}/join";

        ($status, my $answer) = request('POST', $path, $bob, $body, @headers);

        is($status, $wanted, "$name: is answered");
        registered('bob', $name);
        is(redis('HGET', "sw:{t}:r:$answer->{data}{id}:members", 'bob')
           =~ /^join/, 1, "$name: a member") if $name ne 'join';

        next if !@headers;

        ($status, my $again) = request('POST', $path, $bob, $body, @headers);
        is_deeply($again, $answer, "$name: made once");
    }
};

subtest 'in the midst of an import' => sub {
    flushed();

    my $many = 50_000;
    my $text = JSON::PP->new->utf8->encode(manifest(events => []));
    my $events = join ',', map {
        encode_json(event($_, "message $_"))
    } 1 .. $many;

    $text =~ s/"events":\[\]/"events":[$events]/ or die;

    my ($body, $type) = form(bundle($text));
    my $s = http_begin('POST', '/v1/rooms/import', $ann, $body,
                       'Content-Type' => $type);

    my $until = time() + 60;

    sleep 0.001 until @{ redis('KEYS', '*:events') } || time() > $until;
    redis('FLUSHALL');

    my $answer = do { local $/; <$s> };

    like($answer, qr{^HTTP/1.1 409 .*SW_CONFLICT}s, 'its events were lost');
    registered('ann', 'import');
    is(redis('EXISTS', 'sw:{t}:aliases'), 0, 'no room');
};

stop_nginx();
done_testing();
