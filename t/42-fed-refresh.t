# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two servers that sign to each other: a foreign participant's profile.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(answer);
use RoomsTest::Signer;

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my ($port_a, $port_b, $port_c) = map { free_port() } 1 .. 3;
my ($a, $b, $c) = map { "127.0.0.1:$_" } $port_a, $port_b, $port_c;

sub key_file {
    my ($letter) = @_;

    RoomsTest::Signer::write_file("$dir/$letter.key",
                                  encode_base64($letter x 32, ''));
    chmod 0640, "$dir/$letter.key";

    return "$dir/$letter.key";
}

sub server {
    my ($letter, $name) = @_;
    my $file = key_file($letter);

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
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
            proxy_set_header Host \$rooms_peer;
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
        root $dir;
        location /_scaiwave/ { try_files /answer =404; }
    }
END

sub call {
    my ($port, $method, $path, $token, $body) = @_;

    server_port_is($port);

    my $res = answer(http_req($method, $path, $token, $body));

    server_port_is($port_a);

    return $res;
}

sub policy {
    my ($letter, $port, $policy) = @_;

    return call($port, 'PUT', '/v1/admin/federation/policy',
                "mock:root\@t-$letter:admin", $policy);
}

# Others put foreign participants into the store.
sub foreign {
    my ($id, $local, $server) = @_;

    redis('HSET', 'a:{t-a}:participants', $id,
          $json->encode({ local_id => $local, display_name => 'Old',
                          workspace_id => undef, participant_type => 'user',
                          server_name => $server, avatar_url => undef,
                          created_at => '2026-01-01T00:00:00.000Z' }));
}

my $admin = 'mock:root@t-a:admin';

sub refresh {
    my ($id, $token) = @_;

    $id =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;

    return call($port_a, 'POST', "/v1/admin/federation/foreign/$id/refresh",
                $token // $admin);
}

sub stored {
    return $json->decode(redis('HGET', 'a:{t-a}:participants', $_[0]));
}

call($port_b, 'POST', '/v1/auth/register', 'mock:bob@t-b');
call($port_a, 'POST', '/v1/auth/register', 'mock:ann@t-a');
policy('a', $port_a, { allowed_peers => [$b] });
policy('b', $port_b, { allowed_peers => [$a] });

my $bob = "\@bob:$b";

foreign($bob, 'bob', $b);
is(refresh($bob)->{code}, 'SW_PARTICIPANT_NOT_FOUND',
   'a server with which no room is shared tells nothing');

redis('ZADD', "b:{t-b}:$_:rooms", 1, 'room-0' . '0' x 25)
    for 'p:bob', "peers:$a";

my $res = refresh($bob);

is_deeply($res->{data},
          { participant_id => $bob, fqid => $bob, local_id => 'bob',
            server_name => $b, display_name => 'bob',
            participant_type => 'federated', avatar_url => undef },
          'the other server tells how its participant is called')
    || diag("$res->{status} $res->{code} $res->{message}");
is(stored($bob)->{display_name}, 'bob', 'and that is kept');
like(RoomsTest::Process::slurp("$dir/b.log"),
     qr{"GET /_scaiwave/federation/v1/profile/bob HTTP/1\.[01]" 200},
     'the other server was asked');
is(scalar(@{call($port_b, 'GET', '/v1/admin/federation/peers',
                 'mock:root@t-b:admin')->{data}}), 1,
   'which has seen us');

is(refresh($bob, 'mock:ann@t-a')->{code}, 'SW_AUTH_INSUFFICIENT_PERMISSION',
   'only an admin may ask');
is(refresh('ann')->{code}, 'SW_PARTICIPANT_NOT_FOUND', 'nobody of ours');
is(refresh('nobody')->{code}, 'SW_PARTICIPANT_NOT_FOUND', 'nor nobody');

my $res_token = call($port_a, 'GET', '/v1/rooms/archived',
                     "mock:$bob\@t-a");
is($res_token->{code}, 'SW_AUTH_INVALID_TOKEN',
   'a token of ours does not make anybody a participant of elsewhere');

foreign("\@eve:$b", 'eve', $b);
is(refresh("\@eve:$b")->{code}, 'SW_PARTICIPANT_NOT_FOUND',
   'somebody whom the other server does not know');
foreign("\@odd:$b", 'o/../d', $b);
is(refresh("\@odd:$b")->{code}, 'SW_FED_PEER_UNKNOWN',
   'a local id that would be another path');

# Policies

policy('b', $port_b, {});
$res = refresh($bob);
is("$res->{status} $res->{code}", '502 SW_FED_PEER_UNREACHABLE',
   'the other server does not let us in');
is(stored($bob)->{display_name}, 'bob', 'what was known stays');
policy('a', $port_a, { default_mode => 'allowlist' });
is(refresh($bob)->{code}, 'SW_FED_POLICY', 'nor do we ask, when closed');

# A server that says what it likes

policy('a', $port_a, { default_mode => 'open' });
foreign("\@carl:$c", 'carl', $c);

sub says {
    my ($data) = @_;

    RoomsTest::Signer::write_file("$dir/answer.new",
                                  ref $data ? $json->encode($data) : $data);
    rename "$dir/answer.new", "$dir/answer" or die "answer: $!\n";
}

my %good = (local_id => 'carl', server_name => $c, display_name => 'Carl',
            avatar_url => 'https://c.example/a.png');

says({ data => \%good });
is(refresh("\@carl:$c")->{data}{avatar_url}, 'https://c.example/a.png',
   'an avatar');
says({ data => { %good, avatar_url => 'javascript:alert(1)' } });
is(refresh("\@carl:$c")->{data}{avatar_url}, undef, 'one that is no URL');

for (['another participant', { %good, local_id => 'ann' }],
     ['another server', { %good, server_name => $a }],
     ['no name', { %good, display_name => undef }],
     ['an empty name', { %good, display_name => ' ' }],
     ['a long name', { %good, display_name => 'x' x 200 }],
     ['a control character', { %good, display_name => "a\nb" }],
     ['no object', []])
{
    my ($name, $data) = @$_;

    says({ data => $data });
    is(refresh("\@carl:$c")->{code}, 'SW_FED_PEER_UNREACHABLE',
       "refused: $name");
}

says('hello');
is(refresh("\@carl:$c")->{code}, 'SW_FED_PEER_UNREACHABLE',
   'refused: no JSON');
is(stored("\@carl:$c")->{display_name}, 'Carl', 'what was good stays');

foreign("\@dan:127.0.0.1:1", 'dan', '127.0.0.1:1');
is(refresh("\@dan:127.0.0.1:1")->{code}, 'SW_FED_PEER_UNREACHABLE',
   'a server that is down');

unlike(nginx_log(), qr/\[alert\]/, 'nothing leaks');

stop_nginx();

done_testing();
