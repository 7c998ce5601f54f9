# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A worker that was told to go finishes what is in flight, whatever it waits
# for: the store, a client, a thread, another turn of its loop, another
# server.  Then it goes, in time and without an alarm.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use POSIX ();
use Storable ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle ();
use RoomsTest::Calls;
use RoomsTest::Export;
use RoomsTest::Fake qw(fake stop_fake);
use RoomsTest::Process qw(slurp wait_for);
use RoomsTest::Token ();

my $dir = File::Temp::tempdir('rooms-drain-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my ($with_keys, $keys) = (free_port(), free_port());
my $http = <<"END";
    server {
        listen 127.0.0.1:$with_keys;
        rooms on;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_request /_keys;
        location = /_keys { internal; proxy_pass http://127.0.0.1:$keys; }
    }
END

sub begin {
    start("rooms_media_path $dir/media; rooms_export_level 9;"
          . 'client_max_body_size 100m;', http => $http, workers => 2);
}

sub workers {
    my $pid = nginx_pid();

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}

# Requests in a process of their own; the answers with answers().
sub ask {
    my ($port, @requests) = @_;
    my $pid = fork() // die "fork: $!\n";

    return $pid if $pid;

    server_port_is($port);

    my $answers = http_many(\@requests, 0, 60);

    Storable::store($answers, "$dir/answers.$$");
    POSIX::_exit(0);
}

sub answers {
    my ($pid) = @_;

    waitpid $pid, 0;

    return @{Storable::retrieve("$dir/answers.$pid")};
}

# What was wrong with it, or nothing.
sub whole_zip {
    my ($res) = @_;

    return "status $res->[0]" if $res->[0] != 200;

    return $res->[2] =~ /PK\x05\x06.{18}\z/s ? () : 'cut off';
}

mkdir "$dir/media";
begin();
known(qw(ann bob));

my $room = make(group => 'ann', name => 'Long');

fill($room, 'ann', 60, 20_000);

my $export = ['GET', "/v1/rooms/$room/export", token('ann')];

is(join(' ', whole_zip(http_req(@$export))), '', 'a whole export');


# Exports alone: between two turns nothing but a posted event waits

for my $signal ('HUP', 'QUIT') {
    my $child = ask(server_port_is(), ($export) x 30);

    # some are under way, the others are still in the backlog
    sleep 0.15;
    kill $signal, nginx_pid();

    my @bad = map { whole_zip($_) } answers($child);

    is(join(', ', @bad), '', "30 exports at a $signal");
    unlike(nginx_log(), qr/open socket/, 'no connection was left');
    begin() if $signal eq 'QUIT';
}


# All kinds of work, again and again

my ($body, $type) = RoomsTest::Bundle::form(http_req(@$export)->[2]);
my $medium = medium("$dir/media", 'large.bin', join '', map { pack 'N', $_ }
                    1 .. 500_000);
my @file = ("--b\r\nContent-Disposition: form-data; name=\"file\"; "
            . "filename=\"f\"\r\n\r\n" . 'x' x 1_000_000
            . "\r\n--b--\r\n",
            'Content-Type' => 'multipart/form-data; boundary=b');
my $provider = fake($keys, sub {
    my ($sock) = @_;

    sysread $sock, my $in, 4096;
    sleep 0.3;

    my $set = slurp('t/data/jwks.json');

    syswrite $sock, "HTTP/1.1 200 OK\r\nContent-Length: " . length($set)
                    . "\r\nConnection: close\r\n\r\n$set";
});
my $asked = 0;

# what is asked, and what is wrong with an answer
my %kinds = (
    export => [$export, \&whole_zip],
    import => [['POST', '/v1/rooms/import', token('ann'), $body,
                'Content-Type' => $type], 201],
    upload => [['POST', '/v1/media/upload', token('ann'), @file], 201],
    download => [['GET', "/v1/media/download/$medium", token('ann')],
                 sub { $_[0][0] == 200 && length $_[0][2] == 2_000_000
                       ? () : "status $_[0][0], " . length $_[0][2] }],
    sync => [['GET', '/v1/sync?since=0&limit=1', token('ann')], 200],
    wait => [['GET', '/v1/sync?timeout=20000&since=AT', token('bob')], 200],
    room => [['GET', "/v1/rooms/$room", token('ann')], 200],
    send => [['POST', "/v1/rooms/$room/send", token('ann'),
              { content => { body => 'hello' } }], 201],
    make => [['POST', '/v1/rooms', token('bob'),
              { room_type => 'group', name => 'New' }], 201],
    keyed => [['POST', '/v1/rooms', token('bob'),
               { room_type => 'group', name => 'K' },
               'Idempotency-Key' => 'KEY'], 201],
    directory => [['GET', '/v1/directory/rooms', token('ann')], 200],
);

sub round {
    my ($signal, $n) = @_;
    my $at = json_get(http_req('GET', '/v1/sync?since=0&limit=1&timeout=0',
                               token('bob'))->[2], 'data.next_cursor') // 0;
    my @what = (('export') x 4, ('wait') x 2, ('send') x 4,
                sort keys %kinds);
    my @requests = map {
        my @request = @{$kinds{$_}[0]};

        s/AT\z/$at/, s/KEY/key-$n/ for @request;
        \@request;
    } @what;
    my $child = ask(server_port_is(), @requests);
    my $other = ask($with_keys, map { ['POST', '/v1/auth/register',
                       RoomsTest::Token::token('rs256')] } 1 .. 4);

    sleep 0.02 + rand 0.3;
    kill $signal, nginx_pid();

    my @answers = answers($child);
    my @bad;

    for my $i (0 .. $#what) {
        my $check = $kinds{$what[$i]}[1];
        my @wrong = ref $check ? $check->($answers[$i])
                    : $answers[$i][0] == $check ? ()
                    : "status $answers[$i][0] $answers[$i][2]";

        # a new worker may have been asked, and quit closes the backlog
        push @bad, map { "$what[$i]: $_" } @wrong
            if $signal eq 'HUP' || $answers[$i][0];
    }

    push @bad, map { "keys: status $_->[0] $_->[2]" }
               grep { $_->[0] != 200 && ($signal eq 'HUP' || $_->[0]) }
               answers($other);
    $asked += @what + 4;

    return @bad;
}

srand($ENV{TEST_ROOMS_SEED} // 1);

my $times = $ENV{TEST_NGINX_USE_VALGRIND} ? 3 : 30;
my @bad = map { round('HUP', $_) } 1 .. $times;

is(join("\n", @bad), '', "$times reloads, $asked requests: nothing is cut");
ok(wait_for(20, sub { workers() == 2 }), 'the old workers have left');
unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

for my $n (1 .. 4) {
    @bad = round('QUIT', "quit-$n");
    is(join("\n", @bad), '', "quit, $n");
    is(stop_nginx(), 0, 'it ends in order');
    unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');
    begin();
}

done_testing();
