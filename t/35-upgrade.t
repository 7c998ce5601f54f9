# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A binary upgrade as NGINX's manual has it (USR2, WINCH, QUIT): what is in
# flight ends well in the old process, what comes is served by the new one, and
# neither leaves a connection behind.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Export;
use RoomsTest::Process qw(end_process find_program patience slurp wait_for
                          write_file);
use RoomsTest::Secrets qw(secrets_warn);

plan skip_all => 'the processes of others are watched'
    if RoomsTest::Process::checked();

my $dir = File::Temp->newdir('rooms-upgrade-XXXXXXXX', TMPDIR => 1);
my $port = free_port();
my $nginx = find_program($ENV{TEST_NGINX_BINARY} || 'nginx');
my $modules = join '', map { "load_module $_;\n" }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
my $user = $> == 0 ? 'user root;' : '';

# NGINX upgrades itself only as a daemon
write_file("$dir/nginx.conf", <<"END");
daemon on;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log info;
$user
$modules
events { }
http {
    access_log off;
    client_body_temp_path $dir/bodies;
    rooms_media_path $dir/media;
    server {
        listen 127.0.0.1:$port sndbuf=32k;
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$ENV{TEST_NGINX_REDIS}/0;
    }
}
END

sub pid { return slurp("$dir/nginx.pid$_[0]") =~ /(\d+)/ ? $1 : 0 }

sub children {
    my ($of) = @_;

    return split ' ', slurp("/proc/$of/task/$of/children");
}

sub ended { my ($pid) = @_; return wait_for(30, sub { !kill 0, $pid }) }

END {
    local $?;

    kill 'KILL', map { children($_), $_ } grep { $_ } pid(''), pid('.oldbin')
        if $dir;
}

is(system("$nginx -p $dir/ -c $dir/nginx.conf 2>$dir/stderr.log"), 0, 'starts')
    || diag(slurp("$dir/stderr.log"));
ok(wait_for(30, sub { pid('') }), 'it runs');
server_port_is($port);

my $ann = 'mock:ann@acme';
my $room = json_get(http_req('POST', '/v1/rooms', $ann,
                             { room_type => 'group', name => 'x' })->[2],
                    'data.id');
my $send = sub {
    return http_req('POST', "/v1/rooms/$room/send", $ann,
                    { content => { body => $_[0] } })->[0];
};

# a page of what fills a socket: it ends only when its reader wants it

is($send->('x' x 60_000), 201, 'a message') for 1 .. 40;

my $slow = IO::Socket::INET->new("127.0.0.1:$port") or die $!;

setsockopt $slow, SOL_SOCKET, SO_RCVBUF, 65536;
syswrite $slow, http_raw('GET', "/v1/rooms/$room/messages?limit=40", $ann);

# ... and somebody who waits
my $poll = IO::Socket::INET->new("127.0.0.1:$port") or die $!;

syswrite $poll, http_raw('GET', '/v1/sync?since=now&timeout=60000', $ann);
sleep 0.3 * patience();

my $old = pid('');
my @workers = children($old);

kill 'USR2', $old;
ok(wait_for(30, sub { pid('.oldbin') == $old && pid('') && pid('') != $old }),
   'USR2: a new process beside the old one');

my $new = pid('');

ok(wait_for(30, sub { children($new) == 2 }), 'which has workers');
is($send->("both $_"), 201, 'both serve') for 1 .. 4;

kill 'WINCH', $old;

# it has been served by the message of both, or ends now
my $answer = do { local $/; <$poll> };

like($answer, qr{^HTTP/1\.1 200 .*"next_cursor"}s, 'who waited has an answer');
is($send->("alone $_"), 201, 'WINCH: the new one serves') for 1 .. 4;

my $page = '';

while (sysread $slow, my $part, 65536) { $page .= $part }

my ($length) = $page =~ /^content-length: (\d+)\r$/mi;

cmp_ok($length // 0, '>', 500_000, 'a long page');
is(length(($page =~ /\r\n\r\n(.*)/s)[0] // ''), $length,
   'which was begun by the old one, is whole');
ok(ended($_), 'an old worker goes') for @workers;
kill 'QUIT', $old;
ok(ended($old), 'QUIT: and so does the old process');
is($send->('after'), 201, 'the new one goes on');

my @new = children($new);

kill 'QUIT', $new;
ok(ended($_), 'it ends') for $new, @new;
unlike(slurp("$dir/error.log"), qr/\[(?:alert|crit|emerg)\]|open socket/,
       'without an alarm');
secrets_warn("$dir/error.log");

done_testing();
