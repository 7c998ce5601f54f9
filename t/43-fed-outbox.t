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

sub config {
    my ($keys) = @_;

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
            internal;
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
            proxy_http_version 1.1;
            proxy_set_header Host \$rooms_peer;
            proxy_set_header Connection "";
            proxy_connect_timeout 500ms;
            proxy_read_timeout 500ms;
        }
END
}

my $admin = 'mock:root@t1:admin';

sub call {
    my ($method, $path, $who, $body, @headers) = @_;
    my $res = http_req($method, $path, $who =~ /:/ ? $who : "mock:$who\@t1",
                       ref $body ? $json->encode($body) : $body, @headers);
    my $all = eval { $json->decode($res->[2]) } || {};

    return { status => $res->[0], data => $all->{data},
             code => $all->{error}{code} // '' };
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

stop_nginx();
done_testing();
