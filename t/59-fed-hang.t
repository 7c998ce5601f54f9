# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Servers that accept a connection and never answer, as many as anybody likes
# to name: those that answer don't wait for them.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Peer;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Stranger qw(call policy);

my $json = JSON::PP->new->utf8->canonical;
my $profile = '/_scaiwave/federation/v1/profile/ann';
my ($b) = RoomsTest::Stranger::around('a.example', 't', { workers => 1 }, 'b');
my @listen;

sub hanging {
    my ($net) = @_;
    my $port = free_port();

    return map {
        my $name = sprintf '127.%d.%d.%d', $net, 1 + $_ / 200, 1 + $_ % 200;

        push @listen, IO::Socket::INET->new(Listen => 8, LocalAddr => $name,
                                            LocalPort => $port)
            or die "$name: $!\n";
        "$name:$port";
    } 0 .. 319;
}

my @hang = hanging(7);
my ($known, $new) = map { RoomsTest::Peer->new(seed => $_ x 32) } 'k', 'n';
my $k = RoomsTest::Stranger->new($known->{name}, 'k' x 32, 'a.example');

sub dm {
    my ($server) = @_;

    return call('ann@t', 'POST', '/v1/me/federated-dms',
                { fqid => "\@x:$server" });
}

sub hears {
    my ($peer, $text) = @_;

    return grep { ($_->{content}{body} // '') eq $text } $peer->events;
}

call('ann@t', 'POST', '/v1/auth/register');
policy({ default_mode => 'open' });

# One participant names 320 of them

my $room = dm($known->{name})->{data}{id};

call('ann@t', 'POST', "/v1/rooms/$room/send", { content => { body => 'one' } });
ok(wait_for(20, sub { hears($known, 'one') }), 'a server that answers');
is(scalar(grep { dm($_)->{status} == 201 } @hang), scalar(@hang),
   'one participant has DMs with 320 servers that never do');

my $from = time;

call('ann@t', 'POST', "/v1/rooms/$room/send", { content => { body => 'two' } });
ok(wait_for(15, sub { hears($known, 'two') }),
   'who has answered before waits for none of them');
note(sprintf 'after %.1f s', time - $from);

my $other = dm($new->{name})->{data}{id};

call('ann@t', 'POST', "/v1/rooms/$other/send",
     { content => { body => 'three' } });
ok(wait_for(40, sub { hears($new, 'three') }),
   'who is new has a turn soon');
note(sprintf 'after %.1f s', time - $from);

sub failing {
    my %state = @{ redis('HGETALL', 'sw:{t}:outboxes:state') };

    return scalar grep { $state{$_} && $state{$_} =~ /\A[1-9]/ } @hang;
}

# the last ones keep their places, for which nobody waits

ok(wait_for(60, sub { failing() >= @hang - 48 }), 'they are in a backoff')
    or diag(failing());
call('ann@t', 'POST', "/v1/rooms/$other/send",
     { content => { body => 'four' } });
ok(wait_for(15, sub { hears($new, 'four') }), 'and hold up nobody');

# 260 that a stranger names, unsigned

my %garbage = $b->signer->headers('GET', $profile, authority => 'a.example');
my @clients;

for my $name (hanging(8)) {
    my %fields = %garbage;

    $fields{'Signature-Input'} =~ s/keyid="[^#]*/keyid="$name/;

    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => server_port_is()) or die;

    print {$sock} "GET $profile HTTP/1.1\r\nHost: x\r\n"
                  . join('', map { "$_: $fields{$_}\r\n" } sort keys %fields)
                  . "\r\n";
    push @clients, $sock;
}

my @answer = $k->get($profile);

is($answer[0], 200, 'known servers are let in while strangers are looked up')
    or diag($json->encode($answer[1]));

my @is = $b->get($profile);

is($is[0], 502, 'one that nobody knows may have to wait');

undef $_ for @clients;
@listen = ();
unlike(nginx_log(), qr/\[(?:alert|crit)\]|signal|no valid|the store has/,
       'the log is clean');
is(stop_nginx(), 0, 'and it ends in order');

done_testing();
