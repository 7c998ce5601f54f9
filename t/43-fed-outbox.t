# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What other servers are told: in order, each event, whatever happens to them
# or to us meanwhile.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(answer);
use RoomsTest::Calls qw(event_place);
use RoomsTest::Peer;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Signer;

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);

sub key_file {
    my ($letter) = @_;

    RoomsTest::Signer::write_file("$dir/$letter.key",
                                  encode_base64($letter x 32, ''));
    chmod 0640, "$dir/$letter.key";

    return "$dir/$letter.key";
}

my $us = RoomsTest::Signer->new('a.example', 'a' x 32);
my $us_next = RoomsTest::Signer->new('a.example', 'n' x 32);
my ($key_a, $key_n) = (key_file('a'), key_file('n'));
my ($b, $c) = map { RoomsTest::Peer->new(ip => $_, seed => 'b' x 32) }
              '127.0.0.1', '127.0.0.2';

# A request is given up after a second only while its peer is slow: on a busy
# machine others may need as long, and would be told things twice.
sub config {
    my ($keys) = @_;
    my $pass = <<'END';
            internal;
            proxy_pass http://$rooms_peer$rooms_peer_uri;
            proxy_http_version 1.1;
            proxy_set_header Host $rooms_peer;
            proxy_set_header Connection "";
END

    return <<"END";
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant t1;
        rooms_federation on;
        rooms_federation_key $keys;
        rooms_federation_allow_private on;
        location = /_rooms_peer {
$pass
            if (-f $dir/\$rooms_peer.slow) { rewrite ^ /_rooms_slow last; }
        }
        location = /_rooms_slow {
$pass
            proxy_read_timeout 1s;
        }
END
}

sub mode {
    my ($peer, $mode) = @_;
    my $mark = "$dir/$peer->{name}.slow";

    $mode eq 'slow' ? RoomsTest::Signer::write_file($mark, '') : unlink $mark;
    $peer->mode($mode);
}

my $admin = 'mock:root@t1:admin';

sub call {
    my ($method, $path, $who, $body, @headers) = @_;

    return answer(http_req($method, $path,
                           $who =~ /:/ ? $who : "mock:$who\@t1", $body,
                           @headers));
}

sub must {
    my $res = call(@_);

    die "$_[0] $_[1]: $res->{status} $res->{code}\n"
        if $res->{status} !~ /^2/;

    return $res->{data};
}

sub key { return "sw:{t1}:" . join '', @_ }

# A room of ann's with somebody of each of these servers, put there by hand.
sub room {
    my @peers = @_;
    my $id = must('POST', '/v1/rooms', 'ann',
                  { room_type => 'group', name => 'Engineering' })->{id};
    my $n = 0;

    for my $peer (@peers) {
        my $bob = '@bob' . $n++ . ":$peer->{name}";

        redis('HSET', key('participants'), $bob, $json->encode({
            local_id => 'bob', display_name => 'Bob', workspace_id => undef,
            participant_type => 'user', server_name => $peer->{name},
            avatar_url => undef, created_at => '2026-01-01T00:00:00.000Z' }));
        redis('HSET', key("r:$id:members"), $bob, 'join 0 1767225600000 1');
        redis('ZADD', key("r:$id:list"), 0, $bob);
        redis('HINCRBY', key("r:$id"), 'joined', 1);
        redis('ZADD', key("peers:$peer->{name}:rooms"), 0, $id);
        redis('ZADD', key('peers:names'), 0, $peer->{name});
    }

    redis('HSET', key("r:$id"), 'federated', 1, 'peers',
          join ' ', map { "$_->{name}=1" } @peers);

    return $id;
}

sub send_to {
    my ($room, $body, @headers) = @_;

    return must('POST', "/v1/rooms/$room/send", 'ann',
                { content => ref $body ? $body : { body => $body } },
                @headers)->{id};
}

sub bodies {
    return join ' ', map { $_->{content}{body} // $_->{event_type} }
                     $_[0]->events;
}

# Within a time, the bodies that a peer was sent.
sub told {
    my ($peer, $want, $name, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    wait_for($seconds // 5, sub { bodies($peer) eq $want });
    is(bodies($peer), $want, $name);
}

sub row {
    my ($peer) = @_;
    my $rows = must('GET', '/v1/admin/federation/peers', $admin);

    return (grep { $_->{server_name} eq $peer->{name} } @$rows)[0];
}

sub retry {
    my ($peer) = @_;

    return call('POST', "/v1/admin/federation/peers/$peer->{name}/retry",
                $admin);
}

sub failures {
    my ($peer) = @_;

    return 0 + ((split ' ', redis('HGET', key('outboxes:state'),
                                  $peer->{name}) // '0 0')[0]);
}

run_nginx(config($key_a), workers => 2);

call('POST', '/v1/auth/register', 'ann', {});

# In order, each once, signed

my $room = room($b);
my @ids = map { send_to($room, "m$_") } 1 .. 5;

told($b, 'm1 m2 m3 m4 m5', 'messages arrive, in order and once');

my ($first) = $b->sent;

is("$first->{method} $first->{target}",
   'POST /_scaiwave/federation/v1/send', 'by POST');
is($first->{headers}{'content-type'}, 'application/json', 'as JSON');
is($first->{headers}{'content-length'}, length $first->{body},
   'of this length');
is($us->request_problem($b->{name}, $_), undef, 'signed, with its digest')
    for $b->sent;
is($us->event_problem($_), undef, 'each event, too') for $b->events;

my ($event) = $b->events;

is($event->{id}, $ids[0], 'an event has its id');
is($event->{room_id}, $room, 'its room');
is($event->{sender}, '@ann:a.example', 'its sender, by a name of everywhere');
is_deeply($event->{profile}, { display_name => 'ann', avatar_url => undef },
          'their profile');
is($event->{event_type}, 'swp.room.message', 'its type');
like($event->{created_at}, qr/\A\d{4}-.*Z\z/, 'its time');
is($event->{room}{name}, 'Engineering', 'and the room as it is');
is($event->{room}{creator}, '@ann:a.example', 'whose creator has a name, too');
ok(!exists $event->{members}, 'a message is about nobody');
ok(!exists $event->{redacted_at}, 'nor was it redacted');

ok(wait_for(3, sub { !redis('EXISTS', key("outbox:$b->{name}"))
                     && !defined redis('ZSCORE', key('outboxes'),
                                       $b->{name}) }),
   'the outbox is empty, and not listed');

# What refers to others

$b->forget;
must('POST', "/v1/rooms/$room/events/$ids[0]/edit", 'ann',
     { content => { body => 'new' } });
must('POST', "/v1/rooms/$room/events/$ids[1]/reaction", 'ann',
     { emoji => '+' });
must('POST', "/v1/rooms/$room/events/$ids[2]/redact", 'ann',
     { reason => 'why' });
must('PUT', "/v1/rooms/$room/topic", 'ann', { topic => 'Talk' });
wait_for(5, sub { $b->events == 4 });

my @events = $b->events;

is_deeply($events[0]{content}, { replaces => "$ids[0]:a.example",
                                 content => { body => 'new' } }, 'an edit');
is_deeply($events[1]{content}, { event_id => "$ids[1]:a.example",
                                 emoji => '+', action => 'add' },
          'a reaction');
is_deeply($events[2]{content}, { event_id => "$ids[2]:a.example",
                                 reason => 'why' }, 'a redaction');
is($events[3]{room}{topic}, 'Talk', 'the room as it is now');

call('POST', '/v1/auth/register', 'cy', {});
$b->forget;
must('POST', "/v1/rooms/$room/invite", 'ann', { participant_id => 'cy' });
wait_for(5, sub { $b->events == 1 });
($event) = $b->events;
is_deeply($event->{content},
          { fqid => '@cy:a.example', membership => 'invite',
            previous => 'leave' }, 'whom an event is about has a name');
is_deeply($event->{members},
          [{ fqid => '@cy:a.example', membership => 'invite',
             power_level => 0, joined_at => undef, display_name => 'cy',
             avatar_url => undef }], 'and is told as they are now');

# Much at the same time, through both workers: each once, no two requests

$b->forget;
http_many([map { http_raw('POST', "/v1/rooms/$room/send", 'mock:ann@t1',
                          $json->encode({ content => { body => "n$_" } })) }
           1 .. 200], 20);
wait_for(10, sub { $b->events >= 200 });

my @sent = $b->sent;

@events = map { @{$_->{events}} } @sent;
is(scalar(@events), 200, '200 messages of 20 clients arrive');
is(join(' ', map { $_->{id} } @events),
   join(' ', sort map { $_->{id} } @events), 'in their order');
is(scalar(keys %{{ map { $_->{id} => 1 } @events }}), 200, 'each once');
cmp_ok(scalar(@sent), '<', 150, 'many in a request (' . @sent . ')');
ok(!(grep { $sent[$_]{from} < $sent[$_ - 1]{to} } 1 .. $#sent),
   'one request after the other');
is((grep { @{$_->{events}} > 50 } @sent) + 0, 0, 'none with more than 50');

# Long ones: requests are bounded

$b->forget;
send_to($room, { body => 'x' x 60000, n => $_ }) for 1 .. 5;
wait_for(5, sub { $b->events == 5 });
is(join(' ', map { $_->{content}{n} } $b->events), '1 2 3 4 5',
   'long messages arrive');
ok(!(grep { length $_->{body} > 100 * 1024 + 100 } $b->sent),
   'in requests that are not too long');
# of a time when the room was not federated: nobody asked then

redis('HDEL', key("r:$room"), 'federated');

my $odd = send_to($room, { body => 'f', size => 1.5 });

redis('HSET', key("r:$room"), 'federated', 1);
redis('ZADD', key("outbox:$b->{name}"), event_place($odd),
      "e $room $odd");
redis('ZADD', key('outboxes'), 0, $b->{name});
send_to($room, 'after');
wait_for(5, sub { bodies($b) =~ /after/ });
is(bodies($b) =~ /\bf\b/ + 0, 0, 'what can not be signed is left out');
like(nginx_log(), qr/is not sent to other servers: it /, 'as the log says');

# A peer that is down: nobody here waits for it

$b->down;
$b->forget;

my $before = time;

send_to($room, 'd1');
cmp_ok(time - $before, '<', 5 * patience(),
       'a message to a server that is down is sent at once here');
ok(wait_for(5, sub { failures($b) }), 'it failed');
cmp_ok(redis('ZSCORE', key('outboxes'), $b->{name}), '>', time * 1000 - 2000,
       'and waits for its next try');
wait_for(5, sub { failures($b) >= 2 });

my $row = row($b);

cmp_ok($row->{outbox}{failures}, '>=', 2, 'the admin sees failures');
is($row->{outbox}{pending}, 1, 'what is pending');
like($row->{outbox}{next_attempt_at}, qr/\A20.*Z\z/, 'when it is tried next');
is($row->{last_error}{code}, 'SW_FED_PEER_UNREACHABLE', 'and why');
send_to($room, 'd2');
$b->up;

my $got = retry($b);

is($got->{status}, 200, 'the admin has it tried');
is($got->{data}{server_name}, $b->{name}, 'whose row is shown');
is($got->{data}{outbox}{pending}, 2, 'with what waits');
told($b, 'd1 d2', 'the peer is back and is told all', 3);
ok(wait_for(2, sub { !redis('HEXISTS', key('outboxes:state'), $b->{name}) }),
   'its failures are forgotten');
is(row($b)->{outbox}{next_attempt_at}, undef, 'nothing waits');
$got = call('POST', '/v1/admin/federation/peers/no.example/retry', $admin);
is("$got->{status} $got->{code}", '404 SW_NOT_FOUND', 'a retry of nobody');
is(call('POST', "/v1/admin/federation/peers/$b->{name}/retry", 'ann')
       ->{code}, 'SW_AUTH_INSUFFICIENT_PERMISSION', 'nor by anybody');

# Answers that are none

for (['500', qr/answered 500 SW_INTERNAL/], ['garbage', qr/does not match what was/],
     ['short', qr/does not match what was/], ['redirect', qr/answered 302/],
     ['cut', qr/no answer/], ['slow', qr/answered 504|no answer/])
{
    my ($mode, $why) = @$_;

    mode($b, $mode);
    $b->forget;
    send_to($room, "is-$mode");
    ok(wait_for(5, sub { failures($b) }), "a peer whose answer is $mode");
    like(row($b)->{last_error}{message}, $why, 'the admin sees that');
    wait_for(3, sub { $b->sent }) if $mode eq 'slow';
    mode($b, 'ok');
    $b->forget;
    retry($b);
    ok(wait_for(4, sub { bodies($b) =~ /\bis-$mode\z/
                         && !redis('EXISTS', key("outbox:$b->{name}")) }),
       'is told it again');
}

sleep 1.5;

# A rejected event is done with, and the others of its request are not

$b->mode('reject');
$b->forget;
send_to($room, 'no');
ok(wait_for(5, sub { !redis('EXISTS', key("outbox:$b->{name}")) }),
   'a rejected event is not sent again');
mode($b, 'ok');
is_deeply([@{row($b)->{last_error}}{qw(code message)}],
          ['SW_ROOM_FORBIDDEN', 'event "' . ($b->events)[0]{id}
                                . '" was rejected: not?here'],
          'the admin sees which, and why');
like(nginx_log(), qr/\[warn\].*rejected event "evt-.*SW_ROOM_FORBIDDEN, not\?/,
     'the log, too');
is(failures($b), 0, 'that is no failure');

# A slow peer, or a dead one, is nobody else's

my $both = room($b, $c);

$_->forget for $b, $c;
mode($b, 'slow');
send_to($both, "two$_") for 1 .. 3;
told($c, 'two1 two2 two3', 'one that is quick is told at once');
is(redis('EXISTS', key("outbox:$b->{name}")), 1,
   'while the other has not answered');
mode($b, 'ok');
sleep 1.5;
retry($b);
wait_for(5, sub { !redis('EXISTS', key("outbox:$b->{name}")) });

# A valid request of a peer ends its backoff

must('PUT', '/v1/admin/federation/policy', $admin,
     { default_mode => 'open' });
$b->down;
redis('HSET', key('outboxes:state'), $b->{name}, '9 0');
send_to($room, 'back');
wait_for(5, sub { failures($b) > 9 });
$b->forget;
$b->up;
sleep 0.6;
is(scalar($b->sent), 0, 'a peer with a long backoff waits');
is(http_req('GET', '/_scaiwave/federation/v1/profile/ann', undef, undef,
            $b->{signer}->headers('GET',
                '/_scaiwave/federation/v1/profile/ann',
                authority => 'a.example'))->[0], 200, 'it asks us something');
told($b, 'back', 'and is told what waits', 3);

# A worker that holds the lease and is killed

$b->down;
send_to($room, 'killed');
wait_for(5, sub { failures($b) });

my ($holder) = nginx_log() =~ /.*\[warn\] (\d+)#.*rooms: events for "/s;

$b->forget;
$b->up;
kill 'KILL', $holder;
$before = time;
retry($b);
told($b, 'killed', 'another worker goes on', 30);
cmp_ok(time - $before, '<', 25 * patience(), 'when the lease is over');

# The key is rotated while events wait

$b->down;
send_to($room, 'rotated');
wait_for(5, sub { failures($b) });
nginx_reload(config("$key_n old $key_a"));
wait_for(5, sub { 2 <= (() = nginx_log() =~ /gracefully shutting down/g) });
$b->forget;
$b->up;
wait_for(9, sub { retry($b); sleep 0.2; $b->sent });
told($b, 'rotated', 'what waited is told with the new key');
is($us_next->request_problem($b->{name}, $_), undef, 'which signs requests')
    for $b->sent;
is($us_next->event_problem($_), undef, 'and events') for $b->events;

# A snapshot

sub snapshot {
    my ($room) = @_;

    redis('ZADD', key("outbox:$b->{name}"), 1, "s $room");
    redis('ZADD', key('outboxes'), 0, $b->{name});
}

$b->forget;
snapshot($room);
wait_for(5, sub { $b->events });
($event) = $b->events;
is($event->{event_type}, 'swp.room.members', 'a snapshot');
is_deeply([sort map { "$_->{fqid} $_->{membership}" } @{$event->{members}}],
          ["\@ann:a.example join", "\@bob0:$b->{name} join",
           "\@cy:a.example invite"], 'of who is in the room');
ok($event->{complete}, 'is complete');
is_deeply($event->{content}, {}, 'and has no content');
is($event->{sender}, '@ann:a.example', 'the room\'s creator tells it');
is($us_next->event_problem($event), undef, 'signed');

for my $n (1 .. 230) {
    redis('HSET', key("r:$room:members"), "x$n", 'join 0 1767225600000 1');
    redis('ZADD', key("r:$room:list"), 0, "x$n");
}

$b->forget;
snapshot($room);
wait_for(5, sub { $b->events >= 3 });
@events = $b->events;
is(join(' ', map { scalar @{$_->{members}} } @events), '100 100 33',
   'of a big room in pages');
is(join(' ', map { $_->{complete} ? 'complete' : 'part' } @events),
   'part part complete', 'of which the last one completes it');
is(join(' ', map { "$_->{part}{of} $_->{part}{n}" } @events),
   join(' ', map { "$events[0]{id} $_" } 0 .. 2), 'numbered');
is(scalar(keys %{{ map { map { $_->{fqid} => 1 } @{$_->{members}} }
                       @events }}), 233, 'all are told');

redis('HDEL', key("r:$room"), 'peers');
$b->forget;
snapshot($room);
wait_for(5, sub { $b->events });
($event) = $b->events;
is_deeply([@$event{qw(members room)}], [[], undef],
          'a server that has nobody there learns just that');
redis('HSET', key("r:$room"), 'peers', "$b->{name}=1");

# A room that was wiped meanwhile, and what is no item at all

$b->forget;
redis('ZADD', key("outbox:$b->{name}"), 1, 'rubbish', 2, 'e room-x evt-y',
      3, 'e room-01000000000000000000000000 evt-00000000000050000000000000000',
      4, 's room-01000000000000000000000000');
redis('ZADD', key('outboxes'), 0, $b->{name});
ok(wait_for(5, sub { !redis('EXISTS', key("outbox:$b->{name}")) }),
   'items of what is gone go, too');
is(scalar($b->sent), 0, 'and nothing is sent');

# Too much waits

$b->down;
$b->forget;

my @old = map { ($_, sprintf 'e %s evt-%013x%016x', $room, $_, 1) }
          1 .. 11500;

redis('ZADD', key("outbox:$b->{name}"), splice @old, 0, 2000) while @old;
redis('SET', key('position'), 20000);
send_to($room, 'last');
redis('ZADD', key('outboxes'), 0, $b->{name});
ok(wait_for(9, sub { row($b)->{outbox}{dropped} >= 1500 }),
   'the oldest are dropped');
wait_for(9, sub { row($b)->{outbox}{pending} <= 10000 });
cmp_ok(row($b)->{outbox}{dropped}, '<', 1600, 'not more than must be');
cmp_ok(row($b)->{outbox}{pending}, '<=', 10000, 'a bound holds');
is(redis('ZRANGE', key("outbox:$b->{name}"), 0, 0)->[0], "s $room",
   'and the room will be told as it is, with nothing to repeat');
$b->up;
retry($b);
ok(wait_for(20, sub { bodies($b) =~ /\blast\z/ }), 'before what was kept');
is(($b->events)[0]{event_type}, 'swp.room.members', 'as it was');

# A server that the policy has no place for any more

$b->down;
send_to($room, 'never');
wait_for(5, sub { failures($b) });
must('PUT', '/v1/admin/federation/policy', $admin,
     { default_mode => 'allowlist' });
$b->forget;
$b->up;
retry($b);
ok(wait_for(5, sub { !redis('EXISTS', key("outbox:$b->{name}"))
                     && !defined redis('ZSCORE', key('outboxes'),
                                       $b->{name}) }),
   'what waits for a server that may not be told is dropped');
is(scalar($b->sent), 0, 'and not sent');

unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\](?!.*exited on signal 9)/,
       'nothing leaks');

stop_nginx();

done_testing();
