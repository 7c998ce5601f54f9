# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A room's members and its past: what is told of a room of ours, and what is
# taken of a room that is at home elsewhere.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(answer);
use RoomsTest::Row;
use RoomsTest::Signer;

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my ($port_a, $port_b, $port_c) = map { free_port() } 1 .. 3;
my ($a, $b, $c) = map { "127.0.0.1:$_" } $port_a, $port_b, $port_c;
my %port = (a => $port_a, b => $port_b);

mkdir "$dir/c" or die;

sub file {
    my ($name, $text) = @_;

    RoomsTest::Signer::write_file("$dir/$name.new", $text);
    chmod 0644, "$dir/$name.new";
    rename "$dir/$name.new", "$dir/$name" or die "$name: $!\n";

    return "$dir/$name";
}

# This one accepts connections and never answers.  Only it is given up soon: a
# busy machine may need seconds for a page of the others.
my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
    or die "socket: $!\n";
my $mute = '127.0.0.1:' . $silent->sockport;

sub server {
    my ($letter, $name) = @_;
    my $file = file("$letter.key", encode_base64($letter x 32, ''));

    chmod 0640, $file;

    return <<"END";
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_key_prefix $letter;
        rooms_server_name $name;
        rooms_tenant t-$letter;
        rooms_federation on;
        rooms_federation_key $file;
        rooms_federation_allow_private on;
        location = /_rooms_peer {
            internal;
            # what is told as it happens is no part of this
            if (\$rooms_peer_uri ~ /send\$) { return 503; }
            if (\$rooms_peer = $mute) { rewrite ^ /_rooms_mute last; }
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
            proxy_set_header Host \$rooms_peer;
            subrequest_output_buffer_size 1m;
        }
        location = /_rooms_mute {
            internal;
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
            proxy_read_timeout 1s;
        }
END
}

run_nginx(server('a', $a), port => $port_a, workers => 2, http => <<"END");
    server {
        listen 127.0.0.1:$port_b;
        access_log $dir/b.log;
@{[ server('b', $b) ]}
    }
    server {
        listen 127.0.0.1:$port_c;
        root $dir/c;
        access_log $dir/c.log;
        location = /.well-known/scaiwave/server { try_files /descriptor =404; }
        location /_scaiwave/ { try_files /page\$arg_before /page =404; }
    }
END

my $as_a = RoomsTest::Signer->new($a, 'a' x 32);
my $as_b = RoomsTest::Signer->new($b, 'b' x 32);
my $as_c = RoomsTest::Signer->new($c, 'c' x 32);
my $old_c = RoomsTest::Signer->new($c, 'd' x 32);
my $next_c = RoomsTest::Signer->new($c, 'e' x 32);

sub call {
    my ($letter, $method, $path, $token, $body) = @_;

    server_port_is($port{$letter});

    my $res = http_req($method, $path, "mock:$token", $body);

    server_port_is($port_a);

    return answer($res);
}

# A GET of another server to b.
sub ask {
    my ($peer, $path) = @_;

    server_port_is($port_b);

    my $res = http_req('GET', $path, undef, undef,
                       $peer->headers('GET', $path, authority => $b));

    server_port_is($port_a);

    return answer($res);
}

sub key { "$_[0]:{t-$_[0]}:$_[1]" }

sub policy {
    my ($letter, $policy) = @_;

    return call($letter, 'PUT', '/v1/admin/federation/policy',
                "root\@t-$letter:admin", $policy);
}

sub participant {
    my ($letter, $fqid) = @_;
    my ($local, $server) = $fqid =~ /\A\@([^:]+):(.+)\z/ or die;

    redis('HSET', key($letter, 'participants'), $fqid,
          $json->encode({ local_id => $local, display_name => ucfirst $local,
                          workspace_id => undef, participant_type => 'user',
                          server_name => $server, avatar_url => undef,
                          created_at => '2026-01-01T00:00:00.000Z' }));
}

# Invites and joins of others, as the store would have them.
sub foreign {
    my ($letter, $room, $fqid, $membership) = @_;
    my ($server) = $fqid =~ /:(.+)\z/;
    my $r = key($letter, "r:$room");
    my $was = redis('HGET', "$r:members", $fqid) // '';

    participant($letter, $fqid);
    redis('HSET', "$r:members", $fqid,
          $membership eq 'join' ? "join 0 1700000000000 1" : 'invite 0 0 0');
    redis('ZADD', "$r:list", 0, $fqid);
    redis('HINCRBY', $r, $membership eq 'join' ? 'joined' : 'invited', 1);

    if (!$was) {
        my %n = map { split /=/ } split / /, redis('HGET', $r, 'peers') // '';

        $n{$server}++;
        redis('HSET', $r, 'peers', join ' ', map { "$_=$n{$_}" } sort keys %n);
        redis('ZADD', key($letter, "peers:$server:rooms"), 0, $room);
    }
}

my ($admin_a, $admin_b) = ('root@t-a:admin', 'root@t-b:admin');
my ($ann, $bob) = ('ann@t-a', 'bob@t-b');
my $fed = '/_scaiwave/federation/v1/rooms';

call('a', 'POST', '/v1/auth/register', $ann);
call('b', 'POST', '/v1/auth/register', $bob);
call('b', 'POST', '/v1/auth/register', 'eve@t-b');
file('c/descriptor', $as_c->descriptor);

sub room {
    my ($name) = @_;
    my $room = call('b', 'POST', '/v1/rooms', $bob,
                    { room_type => 'group', name => $name })->{data}{id};

    call('b', 'PUT', "/v1/admin/rooms/$room/federate", $admin_b,
         { enabled => \1 });

    return $room;
}

sub say {
    my ($room, $text) = @_;

    return call('b', 'POST', "/v1/rooms/$room/send", $bob,
                { content => { body => $text } })->{data}{id};
}

#
# What is told of a room of ours
#

my $room = room('Shared');
my $nowhere = 'room-' . '0' x 26;

is(ask($as_a, "$fed/$room/members")->{code}, 'SW_FED_POLICY',
   'a server that is not allowed sees nothing');
policy('b', { allowed_peers => [$a, $c] });

my $unknown = ask($as_a, "$fed/$nowhere/members");
my $res = ask($as_a, "$fed/$room/members");

is("$res->{status} $res->{code}", '404 SW_ROOM_NOT_FOUND',
   'nor does one that has nobody there');

for my $which ('members', 'backfill') {
    my ($one, $other) = map { s/"request_id":"[^"]*"//r; }
                        map { ask($as_a, "$fed/$_/$which")->{body} }
                        $nowhere, $room;

    is($other, $one, "$which: the same as if there were no such room");
}

is(ask($as_a, "$fed/room-1/members")->{code}, 'SW_ROOM_NOT_FOUND',
   'an id that is none');

# Invited

foreign('b', $room, "\@ann:$a", 'invite');
foreign('b', $room, "\@carl:$c", 'join');

my @said = map { say($room, "m$_") } 1 .. 5;

$res = ask($as_a, "$fed/$room/members");
is_deeply($res->{data},
          [{ fqid => "\@ann:$a", membership => 'invite', power_level => 0,
             joined_at => undef, display_name => 'Ann',
             avatar_url => undef }],
          'who is invited sees the own row');
$res = ask($as_a, "$fed/$room/backfill");
is("$res->{status} @{$res->{data}}", '200 ', 'and no event');
ok(!$res->{meta}{has_more}, 'nor that there are any');

# Joined

redis('HSET', key('b', "r:$room:members"), "\@ann:$a",
      'join 0 1700000000000 1');

$res = ask($as_a, "$fed/$room/members");
is(join(' ', sort map { $_->{fqid} } @{$res->{data}}),
   join(' ', sort "\@ann:$a", "\@bob:$b", "\@carl:$c"),
   'who has joined sees all');

my ($row) = grep { $_->{fqid} eq "\@bob:$b" } @{$res->{data}};

is("$row->{membership} $row->{power_level} $row->{display_name}",
   'join 100 bob', 'with what they are there');
like($row->{joined_at}, qr/\A\d{4}-.*Z\z/, 'since when');

# what isn't an id ends no list

redis('ZADD', key('b', "r:$room:list"), 0, "\@b\xff");

my ($cursor, @seen) = ('');

for (1 .. 5) {
    $res = ask($as_a, "$fed/$room/members?limit=1$cursor");
    push @seen, map { $_->{fqid} } @{$res->{data}};
    last if !$res->{meta}{has_more};
    $cursor = "&cursor=$res->{meta}{next_cursor}";
}

is(scalar(@seen), 3, 'page by page');
redis('ZREM', key('b', "r:$room:list"), "\@b\xff");
is(ask($as_a, "$fed/$room/members?limit=501")->{status}, 400,
   'no page is larger than 500');
is(ask($as_a, "$fed/$room/members?cursor=x")->{status}, 400, 'a bad cursor');

for (1 .. 3) {
    foreign('b', $room, "\@d$_:127.0.0.9:80", 'invite');
}

is(ask($as_c, "$fed/$room/members?limit=500")->{status}, 200,
   'another server that is there');
is(scalar(@{ask($as_c, "$fed/$room/members?limit=500")->{data}}), 6,
   'sees those of third ones');

# The past

$res = ask($as_a, "$fed/$room/backfill");
is(join(' ', map { $_->{content}{body} // $_->{event_type} }
        @{$res->{data}}[0 .. 4]), 'm5 m4 m3 m2 m1', 'newest first');
is($res->{data}[-1]{event_type}, 'swp.room.create', 'back to the first');
is($res->{data}[0]{sender}, "\@bob:$b", 'names are those of elsewhere');
is($res->{data}[-1]{content}{creator}, "\@bob:$b", 'in contents, too');
ok(!(grep { $_->{room} || $_->{members} } @{$res->{data}}),
   'without the room as it is now');

for my $event (@{$res->{data}}[0, -1]) {
    my $by = delete $event->{signatures};

    is($by->{$b}{$as_b->key_id}, $as_b->sign($json->encode($event)),
       "$event->{event_type} is signed by its server");
}

@seen = ();
$cursor = '';

for (1 .. 9) {
    $res = ask($as_a, "$fed/$room/backfill?limit=2$cursor");
    push @seen, map { $_->{id} } @{$res->{data}};
    last if !$res->{meta}{has_more};
    $cursor = "&before=$res->{meta}{next_cursor}";
}

is(scalar(@seen), 7, 'page by page');
is("@seen[0 .. 4]", join(' ', reverse @said), 'each once, in order');
is(ask($as_a, "$fed/$room/backfill?before=$said[2]:$b")->{data}[0]{id},
   $said[1], 'before an event');
is(ask($as_a, "$fed/$room/backfill?before=evt-x:$b")->{code},
   'SW_EVENT_NOT_FOUND', 'before none of ours');
is(ask($as_a, "$fed/$room/backfill?before=x:$c")->{code},
   'SW_EVENT_NOT_FOUND', 'before none of others');
redis('HSET', key('b', "r:$room:uuids"), " $c x1", $said[1]);
is(ask($as_a, "$fed/$room/backfill?before=x1:$c")->{data}[0]{id}, $said[0],
   'before one of another server');
is(ask($as_a, "$fed/$room/backfill?before=zz")->{status}, 400,
   'a bad cursor');
is(ask($as_a, "$fed/$room/backfill?before=x:a/b")->{status}, 400,
   'a name that is none');
is(ask($as_a, "$fed/$room/backfill?limit=101")->{status}, 400,
   'no page is larger than 100');

call('b', 'POST', "/v1/rooms/$room/events/$said[4]/redact", $bob, {});

my ($redacted) = grep { $_->{id} eq $said[4] }
                 @{ask($as_a, "$fed/$room/backfill")->{data}};

is_deeply($redacted->{content}, {}, 'what was redacted has no content');
like($redacted->{redacted_at}, qr/\A\d{4}-/, 'and says so');

my $big = room('Big');

foreign('b', $big, "\@ann:$a", 'join');
say($big, $_ . 'x' x 60000) for 1 .. 12;
$res = ask($as_a, "$fed/$big/backfill?limit=100");
cmp_ok(length $res->{body}, '<', 513 * 1024, 'a page is at most 512 KiB');
ok($res->{meta}{has_more}, 'and says that there is more');

@seen = ();
$cursor = '';

for (1 .. 9) {
    $res = ask($as_a, "$fed/$big/backfill?limit=100$cursor");
    push @seen, map { $_->{id} } @{$res->{data}};
    last if !$res->{meta}{has_more};
    $cursor = "&before=$res->{meta}{next_cursor}";
}

my %once = map { $_ => 1 } @seen;

is(scalar(@seen) . ' ' . scalar(keys %once), '14 14', 'none is lost by that');

# Rooms that are nobody else's business

for (['not federated', 'federated', undef],
     ['at home elsewhere', 'origin', $c],
     ['incognito', 'meta', "group incognito 0 0 1700000000000 bob"])
{
    my ($name, $field, $value) = @$_;
    my $other = room('Other');
    my $key = key('b', "r:$other");

    foreign('b', $other, "\@ann:$a", 'join');
    is(ask($as_a, "$fed/$other/backfill")->{status}, 200, "before: $name");
    defined $value ? redis('HSET', $key, $field, $value)
                   : redis('HDEL', $key, $field);
    is(ask($as_a, "$fed/$other/members")->{code}, 'SW_ROOM_NOT_FOUND',
       "a room that is $name");
    is(ask($as_a, "$fed/$other/backfill")->{code}, 'SW_ROOM_NOT_FOUND',
       'and its past');
}

#
# What is taken of a room of another server
#

my $position = 5000;

sub replica {
    my ($room, $origin, $history) = @_;
    my $r = key('a', "r:$room");
    my $bob = "\@bob:$origin";

    $position += 20000;

    my ($low, $high) = ($position - 10000, $position - 1);
    my $id = sprintf 'evt-%013x%016x', $position, 7;

    participant('a', $bob);
    redis('SET', key('a', 'position'), $position);
    redis('DEL', $r, map { "$r:$_" } qw(members list order events uuids
                                        redacted copies));
    redis('HSET', $r, 'meta', "group - 0 0 1700000000000 $bob",
          'state', 'open', 'name', 'Shared', 'updated_at', 1700000000000,
          'federated', 1, 'origin', $origin, 'peers', "$origin=1",
          'joined', 2, 'invited', 0, 'admins', 1, 'position', $position,
          'history', $history // "$low $high");
    redis('HSET', "$r:members", $bob, 'join 100 1700000000000 1',
          'ann', 'join 0 1700000000000 2');
    redis('ZADD', "$r:list", 0, $bob, 0, 'ann');
    redis('ZADD', key('a', 'p:ann:rooms'), 0, $room);
    redis('ZADD', "$r:events", $position, event_row({
              id => $id, room_id => $room, stream_position => $position,
              sender_id => $bob, event_type => 'swp.room.member',
              content => { participant_id => 'ann', membership => 'invite' },
              origin_ts => 1700000000, edited_at => undef,
              redacted_at => undef,
              created_at => '2023-11-14T22:13:20.000Z' }));

    return ($low, $high);
}

sub backfill {
    my ($room, $body, $token) = @_;

    return call('a', 'POST', "/v1/admin/rooms/$room/federation/backfill",
                $token // $admin_a, $body);
}

sub counts {
    my ($res) = @_;
    my $d = $res->{data};

    return "$res->{status} $res->{code}" if !$d;
    return "$d->{imported} $d->{skipped} " . scalar @{$d->{rejected}};
}

sub past {
    my ($room) = @_;

    return @{call('a', 'GET', "/v1/rooms/$room/messages?limit=200"
                  . '&direction=forward', $ann)->{data} || []};
}

policy('a', { allowed_peers => [$b, $c] });

my ($low, $high) = replica($room, $b);

is(backfill($room, undef, $ann)->{code}, 'SW_AUTH_INSUFFICIENT_PERMISSION',
   'only an admin may ask');
is(backfill($room, { limit => 1001 })->{code}, 'SW_VALIDATION_FAILED',
   'at most 1000');
is(backfill($room, { limit => 0 })->{code}, 'SW_VALIDATION_FAILED',
   'at least one');
is(backfill($room, { server => 'a/b' })->{code}, 'SW_VALIDATION_FAILED',
   'a server that is none');
is(backfill($nowhere, { limit => 'x' })->{code}, 'SW_VALIDATION_FAILED',
   'the body is looked at first');
is(backfill($nowhere, {})->{code}, 'SW_ROOM_NOT_FOUND', 'no such room');
is(backfill($room, { server => $c })->{code}, 'SW_FED_POLICY',
   'only its own server knows');

$res = call('a', 'POST', '/v1/rooms', $ann, { room_type => 'group',
                                              name => 'Ours' });
my $ours = $res->{data}{id};

is(backfill($ours, {})->{code}, 'SW_ROOM_TYPE_INVARIANT',
   'a room that is not federated');
call('a', 'PUT', "/v1/admin/rooms/$ours/federate", $admin_a,
     { enabled => \1 });
is(backfill($ours, {})->{code}, 'SW_FED_POLICY', 'a room of ours');
is(backfill($ours, { server => $b })->{code}, 'SW_FED_POLICY',
   'whomever we would ask');
call('a', 'POST', "/v1/rooms/$ours/archive", $ann);
is(backfill($ours, {})->{code}, 'SW_ROOM_FROZEN', 'one that is archived');
$res = call('a', 'POST', '/v1/rooms', $ann, { room_type => 'incognito' });
is(backfill($res->{data}{id}, {})->{code}, 'SW_ROOM_TYPE_INVARIANT',
   'one that can not be');

# From b, which is this module, too

my $given = redis('GET', key('a', 'position'));

$res = backfill($room);
is(counts($res), '8 0 0', 'all of it') || diag($res->{body});

my @past = past($room);

is(join(' ', map { $_->{content}{body} // $_->{event_type} } @past),
   'swp.room.create swp.room.federation m1 m2 m3 m4 swp.room.message'
   . ' swp.room.redaction swp.room.member', 'in the order of its server');
is($past[-2]{stream_position}, $high, 'just below what we had');
is($past[0]{stream_position}, $high - 7, 'one after the other');
is(join(' ', grep { $_->{id} !~ sprintf 'evt-%013x', $_->{stream_position} }
        @past), '', 'ids tell their positions');
is("$past[2]{origin_id} $past[2]{origin_server}", "$said[0] $b",
   'whose they are');
is($past[2]{sender_id}, "\@bob:$b", 'and by whom');
is($past[0]{content}{creator_id}, "\@bob:$b", 'names are ours');
is_deeply($past[6]{content}, {}, 'what was redacted is');
like($past[6]{redacted_at}, qr/\A\d{4}-/, 'and says so');
is($past[7]{content}{event_id}, $past[6]{id},
   'what is about another event names it by its id here');
is(redis('HGET', key('a', "r:$room:uuids"), " $b $said[0]"), $past[2]{id},
   'each is known by its name');
is(redis('HGET', key('a', "r:$room"), 'messages'), undef, 'none is unread');
is(redis('HGET', key('a', "r:$room"), 'history'), "$low " . ($high - 8),
   'what is left for more');
is(redis('GET', key('a', 'position')), $given, 'no new position');
ok(!redis('EXISTS', key('a', 'outboxes')), 'and nothing is told to others');

is(counts(backfill($room)), '0 8 0', 'once more: all is known');
say($room, "n$_") for 1 .. 3;
is(counts(backfill($room, { limit => 2 })), '2 0 0', 'no more than asked');
is(counts(backfill($room, { limit => 2, server => $b })), '1 10 0',
   'what is known does not count');

# Many, and at the same time

my $long = room('Long');

foreign('b', $long, "\@ann:$a", 'join');
server_port_is($port_b);
http_many([map { http_raw('POST', "/v1/rooms/$long/send", "mock:$bob",
                          $json->encode({ content => { body => "l$_" } })) }
           1 .. 230], 20);
server_port_is($port_a);

replica($long, $b);

my @both = @{http_many([map { http_raw('POST',
                 "/v1/admin/rooms/$long/federation/backfill",
                 "mock:$admin_a", '{}') } 1 .. 4], 4, 60)};
my ($imported, $bad) = (0, 0);

for (map { answer($_) } @both) {
    $imported += $_->{data}{imported} // 0;
    $bad++ if $_->{status} != 200;
}

is("$imported $bad", '232 0', 'four at once import each event once')
    or diag(map { answer($_)->{body} } @both);

my @events = redis('ZRANGE', key('a', "r:$long:events"), 0, -1);

@events = @{$events[0]} if ref $events[0];
is(scalar(@events), 233, 'and no more');

my %names = map { my $e = row_event($_);
                  ($e->{origin_id} // $e->{id}) => 1 } @events;

is(scalar(keys %names), 233, 'none twice');

# No room

replica($long, $b, '500 549');
$res = backfill($long, { limit => 100 });
is(counts($res), '50 0 50', 'a gap that is too small');
is($res->{data}{rejected}[0]{reason}, 'no room for more history', 'says so');
is(redis('HGET', key('a', "r:$long"), 'history'), '500 499', 'and is full');
replica($long, $b);
redis('HDEL', key('a', "r:$long"), 'history');
is(counts(backfill($long, { limit => 10 })), '0 0 10', 'or that is not there');

# b goes its own way

policy('b', { default_mode => 'allowlist', allowed_peers => [$b] });
$res = backfill($room, {});
is("$res->{status} $res->{code}", '502 SW_FED_PEER_UNREACHABLE',
   'its server does not let us in');
policy('a', { default_mode => 'allowlist' });
is(backfill($room, {})->{code}, 'SW_FED_POLICY', 'nor do we ask, when closed');
policy('a', { allowed_peers => [$b, $c] });

# A server that says what it likes

my $theirs = 'room-' . 'C' x 26;
my $n = 0;

sub event {
    my ($content, %o) = @_;
    my $by = delete $o{by} // $as_c;
    my $then = delete $o{then};
    my %event = (id => sprintf('evt-%013x%016x', 900 - $n++, 1),
                 room_id => $theirs, sender => "\@carl:$c",
                 profile => { display_name => 'Carl', avatar_url => undef },
                 event_type => 'swp.room.message', content => $content,
                 origin_ts => 1700000000,
                 created_at => '2023-11-14T22:13:20.000Z', %o);

    delete $event{$_} for grep { !defined $event{$_} } keys %event;
    $event{signatures} = { $c => { $by->key_id
                                   => $by->sign($json->encode(\%event)) } };
    $then->(\%event) if $then;

    return \%event;
}

sub page {
    my ($events, %o) = @_;

    file('c/page' . ($o{name} // ''),
         $json->encode({ data => $events,
                         meta => { has_more => $o{next} ? \1 : \0,
                                   next_cursor => $o{next} } }));
}

sub reasons {
    my ($res) = @_;

    return join '; ', map { $_->{reason} } @{$res->{data}{rejected} || []};
}

replica($theirs, $c);
page([event({ body => 'one' })]);
is(counts(backfill($theirs)), '1 0 0', 'a good event of a stranger');
is($json->decode(redis('HGET', key('a', 'participants'), "\@carl:$c"))
   ->{display_name}, 'Carl', 'whose sender is somebody here now');

my $two = event({ body => 'two' });

for (['a forged signature', qr/not signed/,
      { then => sub { $_[0]{content}{body} = 'forged' } }],
     ['the key of another', qr/not signed/, { by => $as_b }],
     ['no signature', qr/not signed/,
      { then => sub { delete $_[0]{signatures} } }],
     ['another room', qr/another room/, { room_id => $room }],
     ['an unknown field', qr/field/, { power => 100 }],
     ['a type that is not told', qr/type/,
      { event_type => 'swp.room.read_marker' }],
     ['a type that is none', qr/type/, { event_type => 'x' }],
     ['no sender', qr/sender/, { sender => 'carl' }],
     ['a sender of ours', qr/this server/, { sender => "\@ann:$a" }],
     ['no id', qr/ id\z/, { id => 7 }],
     ['an id with a space', qr/ id\z/, { id => 'a b' }],
     ['a time to come', qr/created_at/,
      { created_at => '2099-01-01T00:00:00.000Z' }],
     ['no time', qr/created_at/, { created_at => 'yesterday' }],
     ['a negative origin_ts', qr/origin_ts/, { origin_ts => -1 }],
     ['a content that is none', qr/content/, { content => 'x' }],
     ['a redacted one with a content', qr/redacted/,
      { redacted_at => '2023-11-14T22:13:20.000Z' }],
     ['an edit of nothing', qr/edit/, { content => { replaces => 'x' } }],
     ['a reaction to nothing', qr/reaction/,
      { event_type => 'swp.room.reaction', content => { emoji => 'x' } }],
     ['a membership that is none', qr/membership/,
      { event_type => 'swp.room.member', content => { membership => 'x' } }])
{
    my ($name, $reason, $o) = @$_;
    my %o = %$o;
    my $content = delete $o{content} // { body => 'x' };

    replica($theirs, $c);
    page([event({ body => 'good' }), event($content, %o),
          event({ body => 'too' })]);
    $res = backfill($theirs);
    is(counts($res), '2 0 1', "$name spoils no other") || diag($res->{body});
    like(reasons($res), $reason, 'and is told');
}

replica($theirs, $c);
page([event({ body => 'x' x 65537 }), event({ body => 'x' x 65000 })]);
is(counts($res = backfill($theirs)), '1 0 1', 'a content that is too large');
like(reasons($res), qr/65536/, 'and how much it may be');

replica($theirs, $c);
file('c/page', '{"data":[{"id":"e1","content":{"n":1.5}},[],null,"x",7,'
     . '{"id":"e2","id":"e3"},'
     . $json->encode($two) . '],"meta":{"has_more":false}}');
$res = backfill($theirs);
is(counts($res), '1 0 6', 'what is no event at all') || diag($res->{body});

my $deep = '{"a":' x 70 . '1' . '}' x 70;

replica($theirs, $c);
page([event({ body => 'x' }), event($json->decode($deep))]);
is(counts(backfill($theirs)), '1 0 1', 'a content that is too deep');

# The same event again and again; the one of ours that we have

replica($theirs, $c);
page([$two, $two, $two]);
is(counts(backfill($theirs)), '1 2 0', 'the same one three times');

my $mine = call('a', 'POST', "/v1/rooms/$theirs/send", $ann,
                { content => { body => 'mine' } })->{data}{id};

page([event({ body => 'mine' }, id => $mine, sender => "\@ann:$a")]);
is(counts(backfill($theirs)), '0 1 0', 'one of ours that we have');

# An edit comes before its message, and a redaction finds both

my $first = event({ body => 'first' });
my $edit = event({ replaces => "$first->{id}:$c",
                   content => { body => 'second' } });
my $again = event({ replaces => "$first->{id}:$c",
                    content => { body => 'third' } });

replica($theirs, $c);
page([$again, $edit, $first]);
is(counts(backfill($theirs)), '3 0 0', 'edits, with their message');
@past = past($theirs);
is($past[1]{content}{replaces}, $past[0]{id}, 'name it by its id here');
is(redis('HGET', key('a', "r:$theirs:copies"), $past[0]{id}),
   "$past[2]{id} $past[1]{id}", 'a redaction would find them');

replica($theirs, $c);
page([$again, $edit], next => '2');
page([$first], name => 2);
is(counts(backfill($theirs)), '3 0 0', 'on different pages');
@past = past($theirs);
is($past[1]{content}{replaces}, "$first->{id}:$c",
   'the name of elsewhere stays');
is(redis('HGET', key('a', "r:$theirs:copies"), $past[0]{id}),
   "$past[2]{id} $past[1]{id}", 'a redaction would find them all the same');
is(redis('HLEN', key('a', "r:$theirs:copies")), 1, 'and nothing is left over');
unlink "$dir/c/page2";

# What happened since to a message that is here is told by its home; until
# then, history doesn't make it known

my $redaction = event({ event_id => "$first->{id}:$c" },
                      event_type => 'swp.room.redaction');

page([$redaction, event({ replaces => "$first->{id}:$c",
                          content => { body => 'fourth' } })]);
is(counts(backfill($theirs)), '0 2 0', 'what is about a known message waits');

my $body = $json->encode({ events => [$redaction] });
my $send = '/_scaiwave/federation/v1/send';

$res = answer(http_req('POST', $send, undef, $body,
                       $as_c->headers('POST', $send, authority => $a,
                                      body => $body)));
is($res->{data}{results}[0]{status}, 'applied', '... and then has its effect');
ok(!(grep { /first|second|third/ }
     @{redis('ZRANGE', key('a', "r:$theirs:events"), 0, -1)}),
   '... on the message and its edits');

# Names

replica($theirs, $c);
page([event({ fqid => "\@ann:$a", membership => 'join', previous => 'invite',
              participant_id => 'root' }, event_type => 'swp.room.member'),
      event({ fqids => ["\@ann:$a", "\@x:$b"], membership => 'invite' },
            event_type => 'swp.room.member'),
      event({ fqid => "\@x:$b", membership => 'leave',
              successor => { fqid => "\@ann:$a", power_level => 100 } },
            event_type => 'swp.room.member', sender => "\@x:$b",
            profile => { display_name => "bad\x01", avatar_url =>
                         'javascript:x' })]);
is(counts(backfill($theirs)), '3 0 0', 'events about participants');
@past = past($theirs);
is($past[2]{content}{participant_id}, 'ann', 'name ours as we do');
is_deeply($past[1]{content}{participant_ids}, ['ann', "\@x:$b"],
          'and others as they do');
is_deeply($past[0]{content}{successor}, { participant_id => 'ann',
                                          power_level => 100 },
          'heirs, too');
is($json->decode(redis('HGET', key('a', 'participants'), "\@x:$b"))
   ->{display_name}, 'x', 'a name that can not be shown is not kept');

# Keys

file('c/descriptor', $as_c->descriptor
     =~ s/"old_public_keys":\[\]/'"old_public_keys":["x",7,"'
                                 . $old_c->public_key . '"]'/er);
nginx_reload();
replica($theirs, $c);
page([event({ body => 'x' }, by => $old_c), event({ body => 'y' })]);
is(counts($res = backfill($theirs)), '2 0 0', 'an old key is good for events')
    || diag($res->{body});
file('c/descriptor', $next_c->descriptor);
replica($theirs, $c);
page([event({ body => 'x' }, by => $next_c)]);
is(counts($res = backfill($theirs)), '1 0 0', 'a new one makes us ask again')
    || diag($res->{body});
file('c/descriptor', $as_c->descriptor);
nginx_reload();

# Answers that are no pages

# The log has a line once its answer is sent, which may be read before that.
sub fetches {
    my ($n, $last) = (-1, -2);

    while ($n != $last) {
        $last = $n;
        select undef, undef, undef, 0.3;
        $n = grep { m{/backfill} }
             split /^/, RoomsTest::Process::slurp("$dir/c.log");
    }

    return $n;
}

for (['no JSON', 'hello'], ['an array', '[]'], ['no data', '{}'],
     ['no meta', '{"data":[]}'], ['data that is none', '{"data":{}}'],
     ['a number', '7'],
     ['half of it', '{"data":[{"id":'],
     ['no cursor', '{"data":[],"meta":{"has_more":true}}'],
     ['a cursor that is none',
      '{"data":[],"meta":{"has_more":true,"next_cursor":7}}'],
     ['a cursor that is long', '{"data":[],"meta":{"has_more":true,'
      . '"next_cursor":"' . 'x' x 600 . '"}}'],
     ['too many events', '{"data":[' . join(',', ('{}') x 101)
      . '],"meta":{}}'],
     ['10 MB', '{"data":["' . 'x' x 10_000_000 . '"],"meta":{}}'],
     ['a million members', '{"data":[' . join(',', ('{}') x 1_000_000)
      . '],"meta":{}}'])
{
    my ($name, $text) = @$_;

    file('c/page', $text);
    $res = backfill($theirs);
    is("$res->{status} $res->{code}", '502 SW_FED_PEER_UNREACHABLE',
       "refused: $name");
}

file('c/page', '{"data":["\ud800"],"meta":{}}');
is(counts(backfill($theirs)), '0 0 1', 'half a character spoils one event');

unlink "$dir/c/page";
is(backfill($theirs)->{code}, 'SW_FED_PEER_UNREACHABLE', 'a room it denies');

my $before = fetches();

file('c/page', '{"data":[],"meta":{"has_more":true,"next_cursor":"x"}}');
is(counts(backfill($theirs)), '0 0 0', 'pages without end');
is(fetches() - $before, 200, 'end here');

$before = fetches();
page([map { event({ body => 'x' }, by => $as_b) } 1 .. 60], next => 'x');
is(counts(backfill($theirs, { limit => 100 })), '0 0 100',
   'so do forged ones');
is(fetches() - $before, 2, 'at the limit');

# Servers that don't answer

my $quiet = 'room-' . 'D' x 26;

policy('a', { allowed_peers => [$b, $c, $mute, '127.0.0.1:1'] });
replica($quiet, $mute);
is(backfill($quiet)->{code}, 'SW_FED_PEER_UNREACHABLE', 'one that is slow');
replica($quiet, '127.0.0.1:1');
is(backfill($quiet)->{code}, 'SW_FED_PEER_UNREACHABLE', 'one that is down');

# A client that leaves meanwhile

replica($quiet, $mute);

my $conn = http_begin('POST', "/v1/admin/rooms/$quiet/federation/backfill",
                      "mock:$admin_a", '{}');

ok($silent->accept, 'we ask') for 1 .. 2;
close $conn;
select undef, undef, undef, 1.5;
is(call('a', 'GET', '/v1/rooms/archived', $ann)->{status}, 200, 'unharmed');

unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'nothing leaks');

stop_nginx();

done_testing();
