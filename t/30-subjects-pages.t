# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# People with the oddest ids, of visible ASCII: in the cursors of lists, and
# woken by what concerns them.  Two workers.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start('', workers => 2);

my $all = join '', map { chr } 0x21 .. 0x7e;
my @odd = ('auth0|64f0a1', 'https://id.example/u/1?a=b#c%20d', $all,
           '"' x 255, '\\' x 255, '/', '/evt-1', '*', '[x]', '~x', '@home',
           '@a@b', '%2F', "a'b", '{t}', 'x' x 255, ':', '=1', '\\u0041',
           'a@b.example', '$1', '-', '0', '&amp;', '<b>');
my ($first, @others) = @odd;

sub who { return "$_[0]\@acme" }

# One test: all pages of a list have these, each once, whatever the order.
sub pages_have {
    my ($name, $path, @want) = @_;
    my @got = map { $_->{participant_id} }
              pages($path, who($first), 'cursor', 3);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is_deeply([sort @got], [sort @want], $name);
}

known(map { who($_) } @odd);

my $room = must('POST', '/v1/rooms', who($first),
                { room_type => 'group', name => 'Odd' })->{id};

must('POST', "/v1/rooms/$room/invite", who($first),
     { participant_ids => \@others });
must('POST', "/v1/rooms/$room/join", who($_)) for @others;
pages_have('all are members, on pages of 3', "/v1/rooms/$room/members", @odd);

my ($last, @rest) = reverse @others;

must('POST', "/v1/rooms/$room/ban", who($first), { participant_id => $_ })
    for @rest;
pages_have('all who were banned, on pages of 3',
           "/v1/rooms/$room/members?membership=ban", @rest);
verify_room($room);

# A poll that waits is answered by what happens then: its own end would come
# later than we wait for an answer.

for my $who ($all, '"' x 255, 'x' x 255, '/') {
    my $now = must('GET', '/v1/sync?since=now&timeout=0', who($who))
              ->{next_cursor};
    my $name = substr $who, 0, 8;

    known('waker');

    my $child = fork() // die;

    if ($child == 0) {
        sleep 1;
        call('POST', '/v1/rooms/dm', 'waker', { participant_id => $who });
        POSIX::_exit(0);
    }

    my ($news) = many(1, ['GET', "/v1/sync?timeout=300000&since=$now",
                          who($who)]);

    waitpid $child, 0;
    is($news->{status}, 200, "$name: a follower") || diag $news->{body};
    ok(scalar(@{$news->{data}{events} // []}), 'learns what concerns it');
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg|error)\]/, 'a quiet log');

done_testing();
