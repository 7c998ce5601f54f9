# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A store that lies: one reply after another of some requests is replaced by
# something that Redis doesn't say, or by a part of the truth.  The request may
# fail, or show less; the worker goes on, and the next request is answered.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Relay;

my $port = relay();

run_nginx(<<"END", workers => 1, master => 1, http => 'rooms_cache 1m;');
    rooms on;
    rooms_auth mock;
    rooms_server_name rooms.test;
    rooms_directory_participants shared;
    rooms_redis redis://127.0.0.1:$port/0;
    rooms_redis_timeout 1s;
END

known(qw(ann bob cid));

# so many that lists of them are kept, and indexes are searched
my @rooms = map { make(group => 'ann', name => "word $_") } 1 .. 34;
my $room = $rooms[0];
my $public = make(public => 'bob', name => 'Words of all');
my $dm = must('POST', '/v1/rooms/dm', 'ann', { participant_id => 'bob' })->{id};
my $event = must('POST', "/v1/rooms/$room/send", 'ann',
                 { content => { n => 1 } })->{event_id};

must('POST', "/v1/rooms/$room/invite", 'ann', { participant_id => 'bob' });

my @asks = (
    [GET => '/v1/sync?limit=5'],
    [GET => '/v1/sync?since=1&limit=50'],
    [GET => "/v1/rooms/$room"],
    [GET => "/v1/rooms/$dm"],
    [GET => '/v1/directory/rooms?count=true'],
    [GET => '/v1/directory/rooms?q=word'],
    [GET => '/v1/directory/rooms?q=bob'],
    [GET => '/v1/directory/rooms?q=wor&membership=join&count=true'],
    [GET => '/v1/directory/participants?q=b'],
    [GET => "/v1/rooms/$room/members"],
    [GET => "/v1/rooms/$room/messages"],
    [GET => '/v1/workspaces'],
    [GET => '/v1/me'],
    [POST => "/v1/rooms/$room/send", { content => { n => 2 } }],
    [POST => "/v1/rooms/$room/send", { content => { n => 2 } },
     'Idempotency-Key' => 'one'],
    [PUT => "/v1/rooms/$room/name", { name => 'another word' }],
);

# A command without what differs between rooms.
sub kind {
    my ($command) = @_;
    my ($name, $rest) = split ' ', $command, 2;

    $rest =~ s/^\S{40} \d+/script/ if $name eq 'EVALSHA';
    $rest =~ s/(?:room|evt|ws)-\w+/id/g;

    return join ' ', $name, grep { defined } (split ' ', $rest)[0 .. 1];
}

my $known = qr/\{acme\}/;
my %done;

for my $ask (@asks) {
    my ($method, $path, $body, @headers) = @$ask;
    my $go = sub { call($method, $path, 'ann', $body, @headers) };

    rule($known, 'note');

    my $good = $go->()->{status};
    my @noted = noted();

    like($good, qr/^20[01]$/, "$method $path");

    for my $n (0 .. $#noted) {
        my $kind = kind($noted[$n]);
        my @bad;

        next if $done{$kind}++;

        for my $lie (lies()) {
            rule($known, "lie $lie", 1, $n);

            my $told = $go->();

            norule();

            push @bad, "$lie: $told->{status}"
                if !$told->{json}
                   || $told->{status} !~ /^(?:$good|40[0349]|50[03])$/;

            my $then = $go->()->{status};

            push @bad, "after $lie: $then" if $then != $good;
        }

        is("@bad", '', "lies about $kind");
    }
}

unlike(nginx_log(), qr/exited (?:on|with)|\[alert\]|runtime error: .*rooms/,
       'by the same worker');

done_testing();
