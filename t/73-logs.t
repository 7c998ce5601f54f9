# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# conf/log.conf and conf/limits.conf as they are: what a log has, and that no
# token, query, password or message is in any; who is limited, and by what.
# Every other suite looks through NGINX's error logs, too (RoomsTest::Secrets);
# here is that it would find something.

use strict;
use warnings;

use Cwd qw(cwd);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle ();
use RoomsTest::Process qw(slurp wait_for);
use RoomsTest::Secrets qw(secrets_in secrets_sent);
use RoomsTest::Token qw(hs256);

my $dir = File::Temp->newdir('rooms-logs-XXXXXXXX', TMPDIR => 1);
my $conf = cwd() . '/conf';
my $json = JSON::PP->new->utf8->canonical;
my $secret = 'a secret of thirty-two bytes, at least';

# what must be in no log: what is said, and how a token begins to be one
my $mark = 'Xyzzy-' . int rand 1e9;
my @secrets = ($mark, $secret, 'store-password');

sub by {
    my ($sub, %claims) = @_;
    my $token = hs256($secret, sub => $sub, %claims);

    push @secrets, (split /\./, $token)[2], $token;

    return $token;
}

redis('ACL', 'SETUSER', 'rooms', 'on', '>store-password', '~*', '&*', '+@all');

my $store = 'redis://rooms:store-password@127.0.0.1:' . redis_port() . '/0';
my $port = run_nginx(<<"END", workers => 2, log_level => 'notice', http => <<"HTTP");
        rooms on;
        rooms_redis $store;
        rooms_redis_timeout 500ms;
        rooms_auth_secret_file $ENV{PWD}/t/data/secret;
        rooms_server_name chat.example;
        access_log $dir/rooms.log rooms;
END
    include $conf/log.conf;
HTTP

my ($ann, $bob) = map { by($_) } qw(ann bob);

sub call {
    my ($method, $path, $who, $body, @headers) = @_;
    my $res = http_req($method, $path, $who, $body, @headers);

    return eval { $json->decode($res->[2])->{data} } // {};
}

# everything that is asked of a room, with the mark in all that is said

call('POST', '/v1/auth/register', $_) for $ann, $bob;

my $room = call('POST', '/v1/rooms', $ann,
                { room_type => 'public', name => $mark, topic => $mark },
                'Idempotency-Key' => "key-$mark",
                traceparent => '00-0af7651916cd43dd8448eb211c80319c-'
                               . 'b7ad6b7169203331-01')->{id};
my $event = call('POST', "/v1/rooms/$room/send", $ann,
                 { content => { body => $mark } })->{id};

call('POST', "/v1/rooms/$room/join", $bob);
call('POST', "/v1/rooms/$room/events/$event/edit", $ann,
     { content => { body => "$mark again" } });
call('POST', "/v1/rooms/$room/events/$event/reaction", $bob,
     { emoji => "\x{1F44D}" });
call('POST', "/v1/rooms/$room/kick", $ann,
     { participant_id => 'bob', reason => $mark });
call('PUT', "/v1/rooms/$room/$_", $ann, { $_ => "$mark 2" })
    for qw(name topic);
call('GET', "/v1/directory/rooms?q=$mark", $ann);
call('GET', "/v1/sync?since=0&timeout=0&ticket=$mark", $ann);
call('GET', "/v1/sync?since=0&timeout=0&token=$ann");
call('POST', "/v1/rooms/$room/send", $ann, "{\"content\": {\"body\": \"$mark");
call('POST', "/v1/rooms/$room/send", "$ann.more", { content => {} });
call('POST', "/v1/rooms/$room/send", by('eve', exp => time - 5000), {});
call('GET', "/v1/rooms/$room/export", $ann);
call('GET', "/v1/rooms/none/$mark", $ann);
call('BREW', "/v1/rooms/$room", $ann);

my ($body, $type) = RoomsTest::Bundle::form("rubbish $mark");

call('POST', $_, $ann, $body, 'Content-Type' => $type)
    for '/v1/media/upload', '/v1/rooms/import';

# clients that break off, and requests that NGINX refuses by itself
for my $bytes ("POST /v1/rooms/$room/send HTTP/1.1\r\nHost: x\r\n"
               . "Authorization: Bearer $ann\r\nContent-Length: 900\r\n\r\n"
               . "{\"content\": {\"body\": \"$mark",
               "GET /v1/sync?since=now HTTP/1.1\r\nHost: x\r\n"
               . "Authorization: Bearer $ann\r\n\r\n",
               "GET /v1/rooms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
               . $ann . ('x' x 40000) . "\r\n\r\n")
{
    my $s = IO::Socket::INET->new("127.0.0.1:$port") or die $!;

    syswrite $s, $bytes;
    select undef, undef, undef, 0.1;
    close $s;
}

# what the store can't do, or holds that nobody can read
redis('ZADD', "sw:{acme}:r:$room:events", 5, "{\"rubbish\": \"$mark");
redis('HSET', "sw:{acme}:participants", 'odd', "{\"$mark");
call('GET', "/v1/rooms/$room/messages?from=0&direction=forward", $ann);
call('GET', '/v1/directory/alias/%40odd%3Achat.example', $ann);
redis_pause();
call('POST', "/v1/rooms/$room/send", $ann, { content => { body => $mark } });
redis_resume();
redis('CONFIG', 'SET', 'maxmemory', 1);
call('POST', "/v1/rooms/$room/send", $ann, { content => { body => $mark } });
redis('CONFIG', 'SET', 'maxmemory', 0);

ok(wait_for(10, sub { slurp("$dir/rooms.log") =~ /"status":503.*"status":503/s }),
   'the store\'s faults are logged');

my @lines = split /\n/, slurp("$dir/rooms.log");
my @rows = map { eval { $json->decode($_) } // {} } @lines;

cmp_ok(scalar @lines, '>=', 25, scalar(@lines) . ' lines');
ok(!grep({ !defined $_->{request_id} } @rows), 'each is JSON');

my ($made) = grep { $_->{endpoint} eq '/v1/rooms' && $_->{status} == 201 }
             @rows;

is_deeply([@$made{qw(method class error tenant participant)}],
          ['POST', 'create', '', 'acme', 'ann'], 'who did what');
is($made->{traceparent},
   '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
   'the client\'s trace');

my %classes = map { ($_->{endpoint} => $_->{class}) } @rows;

is_deeply({ map { $_ => $classes{$_} }
            grep { defined $classes{$_} && $_ =~ m{^/v1} } keys %classes },
          { '/v1/auth/register' => 'change', '/v1/rooms' => 'create',
            '/v1/rooms/{room}/send' => 'send',
            '/v1/rooms/{room}/join' => 'join',
            '/v1/rooms/{room}/events/{event}/edit' => 'send',
            '/v1/rooms/{room}/events/{event}/reaction' => 'send',
            '/v1/rooms/{room}/kick' => 'change',
            '/v1/rooms/{room}/name' => 'change',
            '/v1/rooms/{room}/topic' => 'change',
            '/v1/directory/rooms' => 'read', '/v1/sync' => 'stream',
            '/v1/rooms/{room}/export' => 'export',
            '/v1/media/upload' => 'upload', '/v1/rooms/import' => 'upload',
            '/v1/rooms/{room}/messages' => 'read',
            '/v1/directory/alias/{alias}' => 'read' }, 'classes');

my ($late) = sort { $b->{store_time} <=> $a->{store_time} }
             grep { $_->{error} eq 'SW_STORE_UNAVAILABLE' } @rows;

cmp_ok($late->{store_time}, '>=', 0.4, 'the time of the store');
my ($line) = nginx_log() =~ m{^(.*rooms: .*/v1/rooms/$room/messages.*)$}m;
my ($id) = ($line // '') =~ /, request_id: (\w{32})/;

ok(defined $id, 'a line of the error log names the request')
    || diag(nginx_log());
is(scalar(grep { $_->{request_id} eq ($id // '') } @rows), 1,
   'whose line in the other log is found by it');

for my $log (['the log of requests', slurp("$dir/rooms.log")],
             ['the error log', nginx_log()])
{
    my ($name, $text) = @$log;
    my @found = grep { index($text, $_) >= 0 } @secrets;

    is_deeply(\@found, [], "$name: no secret")
        || diag(grep { my $line = $_; grep { index($line, $_) >= 0 } @found }
                $text =~ /.*\n/g);
}


# What all suites look for in the error log

secrets_sent("POST /x HTTP/1.1\r\nAuthorization: Bearer opaque-token-of-one\r\n"
             . "\r\n{\"content\": {\"body\": \"said by nobody else\"}}",
             '{"data": {"ticket": "dGlja2V0IG9mIHNvbWVib2R5"}}');

my @leaks = map { "2026/01/01 00:00:00 [error] 1#1: *1 $_\n" }
    'rooms: odd token opaque-token-of-one, client: 127.0.0.1',
    'rooms: cannot store said by nobody else',
    'rooms: ticket dGlja2V0IG9mIHNvbWVib2R5 is late',
    'rooms: by ' . hs256($secret, sub => 'zoe'),
    'no handler, request: "GET /v1/sync?since=0&ticket=abc HTTP/1.1"',
    'rooms: mock:ann@acme:admin is no token',
    'rooms: "{\"content\":{\"x\":1}}" is odd',
    'rooms: cannot connect to redis://rooms:password@127.0.0.1:1/0',
    'rooms: header "Authorization: Bearer abc"';
my @fine = map { "2026/01/01 00:00:00 [error] 1#1: *1 $_\n" }
    'rooms: the store is away, client: 127.0.0.1, server: localhost, '
    . 'request: "GET /v1/sync?ticket=-&since=5"',
    'rooms: cannot connect to redis://127.0.0.1:1/0',
    'rooms: event evt-1 of room-2 cannot be read';

is_deeply([secrets_in(@leaks, @fine)], \@leaks, 'what suites look for');


# Limits

run_nginx(<<"END", http => "    include $conf/limits.conf;\n");
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        @{[join "\n", slurp("$conf/limits.conf") =~ /^#     (limit_req.*)$/mg]}
END

sub refused {
    my ($n, @call) = @_;

    return grep { $_->[0] == 429 }
           @{http_many([map { [@call] } 1 .. $n], $n, 30)};
}

my $ada = 'mock:ada@acme';
my @no = refused(40, 'POST', '/v1/rooms', $ada,
                 { room_type => 'group', name => 'x' });

cmp_ok(scalar @no, '>=', 15, scalar(@no) . ' of 40 rooms are refused');
is_deeply([@{$json->decode($no[0][2])->{error}}{qw(code details)}],
          ['SW_RATE_LIMIT_EXCEEDED',
           [{ field => 'limit', problem => 'create' }]], 'it says by what');
ok($no[0][1]{'retry-after'}, 'and when to come back');
is(scalar refused(40, 'GET', '/v1/rooms/archived', $ada), 0,
   'reading is another limit');
is(scalar refused(5, 'POST', '/v1/rooms', 'mock:eve@acme',
                  { room_type => 'group', name => 'x' }), 0,
   'somebody else has a limit of their own');

my $open = $json->decode(http_req('POST', '/v1/rooms', 'mock:eve@acme',
                                  { room_type => 'public', name => 'y' })
                         ->[2])->{data}{id};

is(scalar refused(40, 'POST', "/v1/rooms/$open/join", 'mock:zoe@acme', {}), 0,
   'joins are looser than creations');
cmp_ok(scalar refused(40, 'GET', '/v1/rooms/a/b/c/d', $ada), '>=', 10,
       'what is no path of ours is limited, too');


# What a client's request has us ask of another server carries its id and its
# trace

my $peer = RoomsTest::Process::free_port();

open my $key, '>', "$dir/own.key" or die $!;
print $key MIME::Base64::encode_base64('k' x 32, '');
close $key;
chmod 0640, "$dir/own.key";

run_nginx(<<"END", http => <<"HTTP");
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant fed;
        rooms_federation on;
        rooms_federation_key $dir/own.key;
        rooms_federation_allow_private on;
        location = /_rooms_peer {
            internal;
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
        }
END
    log_format peer '\$uri \$http_x_request_id \$http_traceparent';
    server {
        listen 127.0.0.1:$peer;
        access_log $dir/peer.log peer;
        location / { return 404; }
    }
HTTP

my $root = 'mock:root\@fed:admin';
my $trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

# what nobody waits for begins a trace of its own, whose id is the request's
# (the invite's delivery, once the policy lets it go)

http_req('PUT', '/v1/admin/federation/policy', $root,
         { allowed_peers => ["127.0.0.1:$peer"] });

my $shared = $json->decode(http_req('POST', '/v1/rooms', $root,
                                    { room_type => 'group', name => 'x' })
                           ->[2])->{data}{id};

http_req('PUT', "/v1/admin/rooms/$shared/federate", $root,
         { enabled => JSON::PP::true });
http_req('POST', "/v1/rooms/$shared/invitations", $root,
         { fqid => "\@zoe:127.0.0.1:$peer" });

ok(wait_for(60, sub {
    slurp("$dir/peer.log")
        =~ m{/federation/v1/send ([0-9a-f]{32}) 00-\1-[0-9a-f]{16}-00$}m
}), 'a delivery begins a trace of its own') || diag(slurp("$dir/peer.log"));

my $res = http_req('POST', '/v1/admin/federation/foreign/%40zoe%3A127.0.0.1'
                   . "%3A$peer/refresh", $root, {}, traceparent => $trace);
my $asked = $res->[1]{'x-request-id'};

ok(wait_for(10, sub { slurp("$dir/peer.log") =~ /\Q$trace\E/ }),
   'a client\'s trace goes along') || diag($res->[2], slurp("$dir/peer.log"));
like(slurp("$dir/peer.log"), qr/profile\/zoe $asked \Q$trace\E$/m,
     'with the id that the client gets');


# docs/security.md: every attempt has a suite that is there

my @attempts = grep { !/^\| attempt |^\|---/ }
               slurp('docs/security.md') =~ /^\|.*\|$/mg;
my @shown = map { [/`(t\/[\w\/.-]+)`/g] } @attempts;

cmp_ok(scalar @attempts, '>=', 30, 'attempts');
is_deeply([map { $attempts[$_] } grep { !@{$shown[$_]} } 0 .. $#attempts], [],
          'each names a suite');
is_deeply([grep { !-e } map { @$_ } @shown], [], 'which is there');

done_testing();
