# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A store that holds what nobody would write: each key that some reads use is
# of another type, or has odd values and members.  The answer is JSON, lists are
# shown without what can't be read, and afterwards all is as before.

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
    rooms_redis redis://127.0.0.1:$port/0;
END

known(qw(ann bob));

# so many that lists of them are kept, and indexes are searched
my @rooms = map { make(group => 'ann', name => "word $_") } 1 .. 34;
my $room = $rooms[0];
my $dm = must('POST', '/v1/rooms/dm', 'ann', { participant_id => 'bob' })->{id};

make(public => 'bob', name => 'Words of all');
must('POST', "/v1/rooms/$room/send", 'ann', { content => { n => 1 } });
must('PUT', '/v1/me/preferences', 'ann', { default_mode => 'none', x => [1] });

my @paths = ('/v1/sync?limit=5', '/v1/sync?since=1&limit=50',
             '/v1/directory/rooms?limit=1',
             "/v1/rooms/$room", "/v1/rooms/$dm",
             '/v1/directory/rooms?limit=3&count=true',
             '/v1/directory/rooms?q=word',
             '/v1/directory/rooms?q=bob',
             '/v1/directory/rooms?q=wor&membership=join&count=true',
             '/v1/directory/participants?q=b', "/v1/rooms/$room/members",
             "/v1/rooms/$room/messages", '/v1/workspaces', '/v1/me',
             '/v1/me/preferences');

my @garbage = ('', ' ', "\0\xff\n", 'x' x 70000, '-1', '9' x 40, '1 1 1',
               '{"a":', "w\xc3rd room-$room~", '[[[[]]]]');

# Damages a key.  What is done to sorted sets is done beside their members.
my %damages = (
    'another type' => sub {
        my ($key, $type) = @_;

        redis('DEL', $key);
        redis($type eq 'string' ? 'LPUSH' : 'SET', $key, 'x');
    },
    (map {
        my $text = $_;

        ("garbage " . substr($text =~ s/[^ -~]/?/gr, 0, 12) => sub {
            my ($key, $type) = @_;

            redis('SET', $key, $text) if $type eq 'string';
            redis('HSET', $key, map { $_ => $text } @{redis('HKEYS', $key)})
                if $type eq 'hash';
        })
    } @garbage),
    'odd fields' => sub {
        redis('HSET', $_[0], map { ($_, $_) } @garbage) if $_[1] eq 'hash';
    },
    (map {
        my $score = $_;

        ("members at $score" => sub {
            redis('ZADD', $_[0], map { ($score, $_) } @garbage)
                if $_[1] eq 'zset';
        }, "moved to $score" => sub {
            redis('ZADD', $_[0], map { ($score, $_) }
                                 @{redis('ZRANGE', $_[0], 0, 40)})
                if $_[1] eq 'zset';
        })
    } '0', '9e15', '+inf', '-1.5'),
);

# Whose damage may be all that there is to say.
my $whole = qr/:tenant$|:participants$|:r:id$|:r:id:(?:members|own)$/;
my %done;

for my $path (@paths) {
    my $go = sub { call('GET', $path, 'ann') };

    rule(qr/\{acme\}/, 'note');
    is($go->()->{status}, 200, $path);

    my @commands = noted();

    norule();

    for my $command (@commands) {
        my ($key) = grep { /\{acme\}/ } split ' ', $command;
        my $kind = ($key // '') =~ s/(?:room|ws)-\w+/id/r;

        next if !defined $key || $done{"$path $kind"}++;

        my $type = redis('TYPE', $key);
        my @bad;

        next if $type eq 'none';

        for my $name (sort keys %damages) {
            redis('COPY', $key, 'saved', 'REPLACE');

            next if !defined $damages{$name}->($key, $type);

            my $res = $go->();
            my $may = $name eq 'another type' || $kind =~ $whole
                      ? qr/^(?:200|40[034]|50[03])$/ : qr/^200$/;

            redis('RENAME', 'saved', $key);

            push @bad, "$name: $res->{status}"
                if !$res->{json} || $res->{status} !~ $may;

            my $then = $go->()->{status};

            push @bad, "after $name: $then" if $then != 200;
        }

        is("@bad", '', "$path with a damaged $kind");
    }
}

unlike(nginx_log(), qr/exited (?:on|with)|\[alert\]|runtime error: .*rooms/,
       'by the same worker');

done_testing();
