# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Federation's own settings: keys, identity, policy, a room's flag.

use strict;
use warnings;

use File::Temp ();
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-keys-XXXXXXXX', TMPDIR => 1);

sub key_file {
    my ($name, $text, $mode) = @_;

    open my $out, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $out $text;
    close $out;
    chmod $mode // 0640, "$dir/$name";

    return "$dir/$name";
}

# RFC 9421's test-key-ed25519, and 32 zeros
my $key = key_file('a.key', "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=\n");
my $old = key_file('old.key', 'A' x 43 . '=');
my $old64 = 'O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=';
my $public = 'ed25519:JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=';

sub call {
    my ($method, $path, $token, $body) = @_;
    my $res = http_req($method, $path, $token,
                       ref $body ? $json->encode($body) : $body);
    my $data = eval { $json->decode($res->[2]) } || {};

    return { status => $res->[0], data => $data->{data},
             code => $data->{error}{code},
             field => $data->{error}{details}[0]{field} };
}

my $base = <<"END";
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
END

my $fed = "        rooms_tenant t1;\n        rooms_federation on;\n";

my $admin = 'mock:root@t1:admin';
my $ann = 'mock:ann@t1';

# What nginx -t has to say.

sub refused {
    my ($snippet) = @_;

    return eval { run_nginx($snippet); 1 } ? 'accepted' : $@;
}

like(refused("$base$fed"), qr/needs rooms_federation_key beside it/,
     'there is no federation without a key');
like(refused("$base rooms_federation on; rooms_federation_key $key;"),
     qr/needs rooms_tenant beside it/, 'nor without a tenant');
like(refused("$base$fed rooms_federation_key $dir/none.key;"),
     qr/none\.key" failed/, 'a key file that is missing');
like(refused("$base$fed rooms_federation_key "
             . key_file('open.key', 'A' x 43 . '=', 0644) . ';'),
     qr/not everybody may read/, 'a key file that everybody may read');
like(refused("$base$fed rooms_federation_key "
             . key_file('short.key', 'AAAA') . ';'),
     qr/must hold 32 bytes in base64/, 'a key that is too short');
like(refused("$base$fed rooms_federation_key "
             . key_file('long.key', 'A' x 1000) . ';'),
     qr/must hold 32 bytes in base64/, 'a key that is too long');
like(refused("$base$fed rooms_federation_key $dir;"),
     qr/must be a file/, 'a directory');
(my $upper = $base) =~ s/a\.example/A_b/;
like(refused("$upper$fed rooms_federation_key $key;"),
     qr/rooms_server_name/, 'a name that nobody can dial');

# Off is off.

run_nginx("$base rooms_tenant t1; rooms_federation_key $key;"
          . ' location /v1/admin/ { return 299; }');
is(call('GET', '/v1/admin/federation/policy', $admin)->{status}, 299,
   'a location of the operator is the operator\'s');

run_nginx("$base rooms_tenant t1;");

my $none = '/v1/admin/rooms/room-' . '0' x 26;

for (['GET', '/.well-known/scaiwave/server'],
     ['GET', '/v1/admin/federation/identity'],
     ['PUT', '/v1/admin/federation/policy', '{}'],
     ['PUT', "$none/federate", '{"enabled":true}'],
     ['POST', "$none/federation/invite", '{"fqid":"@x:b.example"}'],
     ['POST', "$none/federation/backfill", '{}'],
     ['POST', '/v1/me/federated-dms', '{"fqid":"@x:b.example"}'],
     ['POST', '/_scaiwave/federation/v1/send', '{"events":[]}'])
{
    my ($method, $path, $body) = @$_;
    my $got = call($method, $path, $admin, $body);

    is("$got->{status} $got->{code}", '404 SW_NOT_FOUND',
       "without rooms_federation there is no $path");
}

is(call('GET', '/.well-known/scaiwave/server')->{code},
   'SW_AUTH_INVALID_TOKEN', 'as with any path that is none, the token first');

# On.

run_nginx("$base$fed rooms_federation_key $key old $old;", workers => 2);

my $res = http_req('GET', '/.well-known/scaiwave/server');

is($res->[0], 200, 'the descriptor needs no token');
is_deeply($json->decode($res->[2])->{data},
          { server_name => 'a.example', public_key => $public,
            key_id => substr(sha256_hex(decode_base64(substr $public, 8)), 0, 16),
            old_public_keys => ['ed25519:' . $old64],
            old_key_ids => [substr(sha256_hex(decode_base64($old64)), 0, 16)],
            protocol_versions => ['v1'],
            endpoints => {
                send => '/_scaiwave/federation/v1/send',
                profile => '/_scaiwave/federation/v1/profile/{local_id}',
                members => '/_scaiwave/federation/v1/rooms/{room_id}/members',
                backfill =>
                    '/_scaiwave/federation/v1/rooms/{room_id}/backfill' } },
          'it has both keys, and none of their seeds');
is(http_req('HEAD', '/.well-known/scaiwave/server')->[0], 200, 'HEAD, too');

for my $row (['GET', '/v1/admin/federation/identity'],
             ['GET', '/v1/admin/federation/policy'],
             ['PUT', '/v1/admin/federation/policy'],
             ['PUT', '/v1/admin/rooms/room-1/federate'])
{
    is(call(@$row, undef, $row->[0] eq 'PUT' ? '{}' : undef)->{code},
       'SW_AUTH_INVALID_TOKEN', "@$row needs a token");
    is(call(@$row, $ann, $row->[0] eq 'PUT' ? '{}' : undef)->{code},
       'SW_AUTH_INSUFFICIENT_PERMISSION', "@$row needs an admin");
}

$res = call('GET', '/v1/admin/federation/identity', $admin)->{data};
is($res->{public_key}, $public, 'identity: the public key');
like($res->{key_id}, qr/\A[0-9a-f]{16}\z/, 'identity: its id');

# Policy

my $path = '/v1/admin/federation/policy';
my $default = { default_mode => 'invite_only', allowed_peers => [],
                max_foreign_participants_per_room => 100 };

is_deeply(call('GET', $path, $admin)->{data}, $default,
          'nobody is let in by default');

my $policy = { default_mode => 'allowlist',
               allowed_peers => ['a.example', 'b.example:8443'],
               max_foreign_participants_per_room => 7 };

is_deeply(call('PUT', $path, $admin, $policy)->{data}, $policy,
          'a policy is put');
is_deeply(call('GET', $path, $admin)->{data}, $policy, 'and kept');

for (['a mode that is none', { default_mode => 'ajar' }, 'default_mode'],
     ['a peer that is none', { allowed_peers => ['x/y'] }, 'allowed_peers'],
     ['peers of another type', { allowed_peers => {} }, 'allowed_peers'],
     ['a number that is none', { max_foreign_participants_per_room => -1 },
      'max_foreign_participants_per_room'],
     ['a policy that shuts us out',
      { default_mode => 'allowlist', allowed_peers => ['b.example'] },
      'allowed_peers'])
{
    my ($name, $body, $field) = @$_;
    my $got = call('PUT', $path, $admin, $body);

    is("$got->{status} $got->{code} $got->{field}",
       "400 SW_VALIDATION_FAILED $field", $name);
}

is_deeply(call('GET', $path, $admin)->{data}, $policy,
          'what was refused changed nothing');
is_deeply(call('PUT', $path, $admin, '{"mode":"open"}')->{data}, $default,
          'a policy is replaced as a whole; unknown fields are ignored');

is(call('PUT', $path, $admin, { default_mode => 'closed',
                                allowed_peers => ['b.example'] })
       ->{data}{default_mode}, 'closed', 'a list says nothing when closed');

redis('HSET', 'sw:{t1}:federation', 'policy', '{"default_mode":"open",');
is(call('GET', $path, $admin)->{data}{default_mode}, 'closed',
   'a broken one in the store lets nobody in');
like(nginx_log(), qr/federation policy in the store is not valid/,
     'and the log says so');

# A room's flag

my $room = call('POST', '/v1/rooms', $ann,
                { room_type => 'group', name => 'G' })->{data}{id};
my $put = sub { call('PUT', "/v1/admin/rooms/$_[0]/federate", $_[2] // $admin,
                     { enabled => $_[1] }) };
my $on = JSON::PP::true;
my $off = JSON::PP::false;

$res = $put->($room, $on);
is($res->{status}, 200, 'an admin, who is no member, federates a room');
ok($res->{data}{federated}, 'the answer says so');
ok(call('GET', "/v1/rooms/$room", $ann)->{data}{federated},
   'and so does the room');

my $last = call('GET', "/v1/rooms/$room/messages?limit=1", $ann)->{data}[0];
is($last->{event_type}, 'swp.room.federation', 'with an event');
is_deeply($last->{content}, { federated => $on }, 'which says what');
is($last->{sender_id}, 'root', 'and who');

my $position = $last->{stream_position};

$put->($room, $on);
is(call('GET', "/v1/rooms/$room", $ann)->{data}{last_event_position},
   $position, 'once is enough');
ok(!$put->($room, $off)->{data}{federated}, 'it is no longer federated');

is($put->($room, 'yes')->{code}, 'SW_VALIDATION_FAILED', 'enabled is a bool');
is($put->('room-00000000000000000000000000', $on)->{code},
   'SW_ROOM_NOT_FOUND', 'a room that is none');
is($put->($room, $on, 'mock:root@t2:admin')->{code},
   'SW_AUTH_TENANT_MISMATCH', 'an admin of another tenant');

my $secret = call('POST', '/v1/rooms', $ann,
                  { room_type => 'incognito' })->{data}{id};
is($put->($secret, $on)->{code}, 'SW_ROOM_TYPE_INVARIANT',
   'an incognito room stays at home');
call('POST', '/v1/auth/register', 'mock:bob@t1');
my $dm = call('POST', '/v1/rooms/dm', $ann,
              { participant_id => 'bob' })->{data}{id};
is($put->($dm, $on)->{code}, 'SW_ROOM_TYPE_INVARIANT', 'and so does a DM');
call('POST', "/v1/rooms/$room/archive", $ann);
is($put->($room, $on)->{code}, 'SW_ROOM_FROZEN', 'an archived room is frozen');

done_testing();
