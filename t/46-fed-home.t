# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A room of ours with participants of another server: invites, and what that
# server may have them do.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Stranger qw(call policy);

my $json = JSON::PP->new->utf8->canonical;
my ($b, $c) = RoomsTest::Stranger::around('a.example', 't', qw(b c));

my $admin = 'root@t:admin';

sub room {
    my ($name, $federated, %o) = @_;
    my $id = call('ann@t', 'POST', '/v1/rooms',
                  { room_type => 'group', name => $name, %o })->{data}{id};

    call($admin, 'PUT', "/v1/admin/rooms/$id/federate",
         { enabled => JSON::PP::true }) if $federated;

    return $id;
}

sub invite {
    my ($who, $room, $fqid, %headers) = @_;
    my $path = $who eq $admin ? "/v1/admin/rooms/$room/federation/invite"
                              : "/v1/rooms/$room/invitations";

    return call($who, 'POST', $path, { fqid => $fqid }, %headers);
}

sub members {
    my ($room) = @_;
    my $res = call('ann@t', 'GET', "/v1/rooms/$room/members");

    return join ' ', map { "$_->{participant_id}=$_->{membership}"
                           . ($_->{power_level} ? "=$_->{power_level}" : '') }
                     @{ $res->{data} };
}

sub events {
    my ($room) = @_;

    return @{ call('ann@t', 'GET', "/v1/rooms/$room/messages"
                   . '?direction=forward&limit=200')->{data} };
}

call("$_\@t", 'POST', '/v1/auth/register') for 'ann', 'al';
policy({ allowed_peers => [$b->name] });

my $bob = $b->fqid('bob');

# Invites

my $room = room('Shared', 1);
my $res = invite('ann@t', $room, $bob);

is($res->{status}, 200, 'a member invites somebody of another server');
is_deeply([@{ $res->{data} }{qw(participant_id fqid membership)}],
          [$bob, $bob, 'invite'], 'the answer is the membership');
is(members($room), "$bob=invite ann=join=100", 'who is listed');

my ($row) = @{ call('ann@t', 'GET', "/v1/rooms/$room/members")->{data} };

is($row->{participant}{server_name}, $b->name, 'with the server');
is($row->{participant}{local_id}, 'bob', 'and the local id');
is((events($room))[-1]{content}{participant_id}, $bob, 'an event tells it');
is(invite('ann@t', $room, $bob)->{status}, 200, 'inviting twice');
is(scalar(grep { $_->{event_type} eq 'swp.room.member' } events($room)), 1,
   'is a no-op');
is(redis('ZCARD', 'sw:{t}:outbox:' . $b->name) , 1, 'the server is told once');

my $eve = $b->fqid('eve');

$res = invite($admin, $room, $eve, 'Idempotency-Key' => 'k1');
is($res->{status}, 200, 'an admin who is no member invites');
is(invite($admin, $room, $eve, 'Idempotency-Key' => 'k1')
       ->{headers}{'idempotency-replayed'}, 'true', 'with Idempotency-Key');

# its home may erase a name, and the answers that are kept don't hear of it

my $zoe = $b->fqid('zoe');
my $named = sub {
    my $row = $json->decode(redis('HGET', 'sw:{t}:participants', $zoe));

    redis('HSET', 'sw:{t}:participants', $zoe, $json->encode(
        { %$row, display_name => 'Zoe Quaxel',
          avatar_url => 'https://b.example/quaxel.png' }));
};

invite('ann@t', $room, $zoe);
$named->();
call('ann@t', 'POST', '/v1/me/federated-dms', { fqid => $zoe },
     'Idempotency-Key' => 'zoe');
$res = call('ann@t', 'POST', '/v1/me/federated-dms', { fqid => $zoe });
is($res->{data}{name}, 'Zoe Quaxel', 'a DM is called as the other side');
is(scalar(@{ redis('KEYS', 'sw:{t}:idem:*') }), 2, 'answers are kept');
is(call('ann@t', 'POST', '/v1/me/federated-dms', { fqid => $zoe },
        'Idempotency-Key' => 'zoe')->{data}{name}, 'zoe',
   '... with the local id instead');

for ([$room, '404 SW_ROOM_NOT_FOUND', 'does not see'],
     [room('In public', 1, room_type => 'public'), '403 SW_ROOM_FORBIDDEN',
      'sees'])
{
    my ($id, $code, $what) = @$_;

    $res = call($admin, 'POST', "/v1/rooms/$id/invitations", { fqid => $eve });
    is("$res->{status} $res->{code}", $code,
       "among members an admin is nobody in a room that they $what");
}

is(invite('al@t', $room, $bob)->{code}, 'SW_ROOM_NOT_FOUND',
   'who does not see the room');
is(invite('ann@t', room('Local', 0), $bob)->{code}, 'SW_ROOM_TYPE_INVARIANT',
   'a room that is not federated');

my $dm = call('ann@t', 'POST', '/v1/rooms/dm', { participant_id => 'al' })
             ->{data}{id};

is(invite($admin, $dm, $bob)->{code}, 'SW_ROOM_TYPE_INVARIANT', 'a DM');
is(invite('ann@t', $room, $_)->{code}, 'SW_VALIDATION_FAILED',
   "refused: $_")
    for '', 'bob', '@bob', '@bob:', "bob:$b->{name}", '@bob:10.0.0.0/8',
        '@bob:a.example', '@bob:x y', '@' . 'x' x 250 . ':b.example';
is(call('ann@t', 'POST', "/v1/rooms/$room/invitations", {})->{code},
   'SW_VALIDATION_FAILED', 'no fqid');

policy({ default_mode => 'allowlist', allowed_peers => ['a.example'] });
is(invite('ann@t', $room, $c->fqid('carl'))->{code}, 'SW_FED_POLICY',
   'a server that the policy shuts out');

policy({ default_mode => 'closed', allowed_peers => [$b->name, 'a.example'] });
is(invite('ann@t', $room, $b->fqid('ben'))->{code}, 'SW_FED_POLICY',
   'closed: nobody, list or not');
is(call('ann@t', 'POST', '/v1/me/federated-dms',
        { fqid => $b->fqid('ben') })->{code}, 'SW_FED_POLICY', 'nor for a DM');
is($b->tell($b->event($room, 'bob', 'member', { membership => 'join' })),
   '403 SW_FED_POLICY', 'nobody is let in');
ok(RoomsTest::Process::wait_for(15, sub { members($room) !~ /\@/ }),
   'and who is there leaves');
policy({ default_mode => 'allowlist', allowed_peers => ['a.example',
                                                        $b->name] });
invite('ann@t', $room, $_) for $bob, $eve;

# max_foreign_participants_per_room

policy({ allowed_peers => [$b->name],
         max_foreign_participants_per_room => 5 });

my $full = room('Full', 1);
my @many = @{ http_many([map { http_raw('POST', "/v1/rooms/$full/invitations",
                         'mock:ann@t',
                         $json->encode({ fqid => $b->fqid("p$_") })) }
                         1 .. 12], 12) };

is(scalar(grep { $_->[0] == 200 } @many), 5, 'five of twelve at once fit');
is(scalar(grep { $_->[2] =~ /SW_FED_POLICY/ } @many), 7, 'seven are refused');
is(call('ann@t', 'GET', "/v1/rooms/$full")->{data}{invited_count}, 5,
   'the count says so, too');
call('ann@t', 'POST', "/v1/rooms/$full/kick",
     { participant_id => $b->fqid('p1') });
call('ann@t', 'POST', "/v1/rooms/$full/kick",
     { participant_id => $b->fqid("p$_") }) for 2 .. 12;
is(invite('ann@t', $full, $bob)->{status}, 200,
   'a withdrawn invite makes a place');

policy({ allowed_peers => [$b->name] });

# A server that is allowed by an invite is shown so

sub allowed {
    my ($name) = @_;

    return join ' ', map { $_->{allowed} ? 'yes' : 'no' }
                     grep { $_->{server_name} eq $name }
                     @{ call($admin, 'GET', '/v1/admin/federation/peers')
                        ->{data} };
}

my $carl = $c->fqid('carl');

is(allowed($b->name), 'yes', 'a server on the list is allowed');
invite('ann@t', $room, $carl);
is(allowed($c->name), 'yes', 'so is one of which somebody is invited');
is(call($admin, 'POST', '/v1/admin/federation/peers/' . $c->name . '/retry')
   ->{data}{allowed}, JSON::PP::true, 'in its own row, too');
call('ann@t', 'POST', "/v1/rooms/$room/kick", { participant_id => $carl });
is(allowed($c->name), 'no', 'and no longer once nobody is');

# Nobody else's token is a foreign participant's

is(call("$bob\@t", 'GET', "/v1/rooms/$room")->{code}, 'SW_AUTH_INVALID_TOKEN',
   'no token of ours is of another server\'s participant');

# What the other server may say

sub says {
    my ($local, $type, $content, %o) = @_;

    return $b->event($room, $local, $type, $content, %o);
}

my $join = says('bob', 'member', { fqid => $bob, membership => 'join' });

is($b->tell(says('bob', 'message', { body => 'early' })),
   'rejected SW_ROOM_FORBIDDEN', 'who is only invited can not send');

sub waits { grep { /\Q$_[1]\E/ } @{ redis('ZRANGE', 'sw:{t}:outbox:'
                                         . $_[0]->name, 0, -1) } }

my $before = call('ann@t', 'POST', "/v1/rooms/$room/send",
                  { content => { body => 'among us' } })->{data}{id};

is(scalar(waits($b, $before)), 0,
   'a server whose participant is only invited is not told what is said');
call('ann@t', 'POST', "/v1/rooms/$room/events/$before/redact", {});
is($b->tell($join), 'applied', 'the invite is accepted');
is($b->tell($join), 'duplicate', 'once');

my $after = call('ann@t', 'POST', "/v1/rooms/$room/send",
                 { content => { body => 'welcome' } })->{data}{id};

is(scalar(waits($b, $after)), 1, 'and then it is told');
call('ann@t', 'POST', "/v1/rooms/$room/events/$after/redact", {});
is(redis('HGET', "sw:{t}:r:$room", 'guests') // '',
   join(' ', map { $_->{fqid} =~ s/.*?://r . '=1' }
             grep { $_->{membership} eq 'invite' && $_->{fqid} !~ /a\.example/ }
             @{ call('ann@t', 'GET', "/v1/rooms/$room/members")->{data} }),
   'who is only invited is counted');
like(members($room), qr/\Q$bob\E=join/, 'and makes a member');
is((grep { $_->{participant_id} eq $bob }
    @{ call('ann@t', 'GET', "/v1/rooms/$room/members")->{data} })[0]
   ->{participant}{display_name}, 'Bob', 'who is called as the server says');
ok((grep { /\As $room\z/ } @{ redis('ZRANGE', 'sw:{t}:outbox:' . $b->name,
                                    0, -1) }),
   'whose server is told who else is there');

my $hello = says('bob', 'message', { body => 'hello', n => 12345678901 });

is($b->tell($hello), 'applied', 'a message');
is($b->tell($hello), 'duplicate', 'once');

my ($message) = grep { ($_->{content}{body} // '') eq 'hello' } events($room);

is($message->{sender_id}, $bob, 'its sender');
is($message->{created_at}, $hello->{created_at}, 'its time');
like($message->{id}, qr/\Aevt-/, 'its id');
isnt($message->{id}, $hello->{id}, 'is ours');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{data}{unread_count}
   // call('ann@t', 'GET', "/v1/rooms/$room")->{data}{me}{unread_count}, 1,
   'it is unread');
ok(!(grep { /\Ae .*\Q$message->{id}\E/ }
     @{ redis('ZRANGE', 'sw:{t}:outbox:' . $b->name, 0, -1) }),
   'it is not sent back');

my $ref = "$hello->{id}:" . $b->name;

is($b->tell(says('bob', 'message', { replaces => $ref,
                                     content => { body => 'hallo' } })),
   'applied', 'an edit');
($message) = grep { $_->{id} eq $message->{id} } events($room);
is($message->{content}{body}, 'hallo', 'is one');
is($message->{original_content}{body}, 'hello', 'with the original');
is($b->tell(says('bob', 'reaction', { event_id => $ref, emoji => '+1',
                                      action => 'add' })), 'applied',
   'a reaction');
is($b->tell(says('bob', 'redaction', { event_id => $ref })), 'applied',
   'a redaction');
($message) = grep { $_->{id} eq $message->{id} } events($room);
ok($message->{redacted_at}, 'is one');
is_deeply($message->{content}, {}, 'that wipes');

my $ours = call('ann@t', 'POST', "/v1/rooms/$room/send",
                { content => { body => 'of ann' } })->{data};
my $our_ref = "$ours->{id}:a.example";

is($b->tell(says('bob', 'reaction', { event_id => $our_ref, emoji => '+1',
                                      action => 'add' })), 'applied',
   'a reaction to a message of ours');
is($b->tell(says('bob', 'redaction', { event_id => $our_ref })),
   'rejected SW_REDACT_FORBIDDEN', 'which it can not redact');
is($b->tell(says('bob', 'message', { replaces => $our_ref,
                                     content => { body => 'x' } })),
   'rejected SW_ROOM_FORBIDDEN', 'nor edit');
is($b->tell(says('bob', 'redaction',
                 { event_id => 'evt-0000000000001aaaaaaaaaaaaaaaa:'
                               . $b->name })),
   'rejected SW_EVENT_NOT_FOUND', 'an event that nobody knows');

# what can't be signed

for ('1.5', '9007199254740993', '1e400')
{
    my $res = call('ann@t', 'POST', "/v1/rooms/$room/send",
                   qq({"content":{"n":$_}}));

    is($res->{code}, 'SW_VALIDATION_FAILED', "a message with $_");
}

is(call('ann@t', 'POST', '/v1/rooms/' . room('Plain', 0) . '/send',
        '{"content":{"n":1.5}}')->{status}, 201,
   'in a room that is not federated it is fine');
is(call('ann@t', 'POST', "/v1/rooms/$room/events/$ours->{id}/edit",
        '{"content":{"n":1.5}}')->{code}, 'SW_VALIDATION_FAILED',
   'an edit neither');

# without power

for (['kick', 'member', { fqid => '@ann:a.example', membership => 'leave' }],
     ['ban', 'member', { fqid => '@ann:a.example', membership => 'ban' }],
     ['a name', 'name', { name => 'Mine' }],
     ['a topic', 'topic', { topic => 'Mine' }],
     ['closing', 'state', { state => 'closed' }],
     ['power', 'power_level', { fqid => $bob, power_level => 100 }])
{
    my ($what, $type, $content) = @$_;

    is($b->tell(says('bob', $type, $content)), 'rejected SW_ROOM_FORBIDDEN',
       "no power: $what");
}

is(call('ann@t', 'PUT', "/v1/rooms/$room/members/"
        . ($bob =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger)
        . '/power-level', { power_level => 50 })->{status}, 200,
   'a foreign participant gets power');
is($b->tell(says('bob', 'name', { name => 'Renamed' })), 'applied',
   'and can rename');
is(call('ann@t', 'GET', "/v1/rooms/$room")->{data}{name}, 'Renamed',
   'the room');
is($b->tell(says('bob', 'member', { fqid => '@al:a.example',
                                    membership => 'invite' })), 'applied',
   'and invite one of ours');
like(members($room), qr/\bal=invite/, 'who is invited');
is($b->tell(says('bob', 'member', { fqid => '@nobody:a.example',
                                    membership => 'invite' })),
   'rejected SW_PARTICIPANT_NOT_FOUND', 'but nobody whom we do not know');
is($b->tell(says('bob', 'member', { fqid => '@al:a.example',
                                    membership => 'ban' })), 'applied',
   'and ban');
is(call('al@t', 'POST', "/v1/rooms/$room/join")->{code},
   'SW_ROOM_NOT_FOUND', 'for good');
is($b->tell(says('bob', 'member', { fqid => '@al:a.example',
                                    membership => 'leave',
                                    previous => 'ban' })), 'applied',
   'or until it is lifted');
is($b->tell(says('bob', 'member', { fqid => '@ann:a.example',
                                    membership => 'leave' })),
   'rejected SW_ROOM_FORBIDDEN', 'but not more than its power');

# Lies

for (['of one of ours', { sender => '@ann:a.example' }, 'SW_FED_POLICY'],
     ['of a third server', { sender => $c->fqid('carl') }, 'SW_FED_POLICY'],
     ['of who is not there', { sender => $b->fqid('nobody') },
      'SW_ROOM_NOT_FOUND'],
     ['of a room that is not', { room_id => 'room-' . '0' x 26 },
      'SW_ROOM_NOT_FOUND'],
     ['of a room where it has nobody', { room_id => $dm },
      'SW_ROOM_NOT_FOUND'],
     ['of no type', { event_type => 'swp.room.odd' }, 'SW_VALIDATION_FAILED'],
     ['that reads', { event_type => 'swp.room.read_marker' },
      'SW_VALIDATION_FAILED'],
     ['without an id', { id => undef }, 'SW_VALIDATION_FAILED'],
     ['with a strange id', { id => '../x' }, 'SW_VALIDATION_FAILED'],
     ['without content', { content => 'x' }, 'SW_VALIDATION_FAILED'],
     ['of no time', { created_at => 'now' }, 'SW_VALIDATION_FAILED'],
     ['that creates', { event_type => 'swp.room.create' },
      'SW_ROOM_FORBIDDEN'])
{
    my ($what, $o, $code) = @$_;

    is($b->tell(says('bob', 'message', { body => 'lie' }, %$o)),
       "rejected $code", "a lie: $what");
}

my $signed = $b->signed(says('bob', 'message', { body => 'one thing' }));
my ($status, $results) = $b->post({ %$signed, content => { body => 'else' } });

is("$status $results->[0]{code}", '200 SW_FED_SIGNATURE_MISMATCH',
   'another content than was signed');
($status, $results) = $b->post(says('bob', 'message', { body => 'bare' }));
is($results->[0]{code}, 'SW_FED_SIGNATURE_MISMATCH', 'no signature');

my $by_c = $c->signed(says('bob', 'message', { body => 'by c' }));

($status, $results) = $b->post($by_c);
is($results->[0]{code}, 'SW_FED_SIGNATURE_MISMATCH', 'that of another');

($status, $results) = $b->post($b->signed(says('bob', 'message',
                                               { body => 'first' })),
                               'junk', { %$signed, id => 'evt-1' },
                               $b->signed(says('bob', 'message',
                                               { body => 'last' })));
is("$status @{[ map { $_->{status} } @$results ]}",
   '200 applied rejected rejected applied', 'each is judged by itself');
is_deeply([map { $_->{content}{body} } (events($room))[-2, -1]],
          ['first', 'last'], 'in order');

is(($b->post())[0], 400, 'no events');
is(($b->post(map { $signed } 1 .. 51))[0], 400, 'too many');
is($b->tell(says('bob', 'message', { body => 'x' x 66_000 })),
   'rejected SW_CONTENT_TOO_LARGE', 'content of 66,000 bytes');
is(($b->post($b->signed(says('bob', 'message', { body => 'x' x 140_000 }))))[0],
   413, 'an event of 140,000 bytes');
ok(!(grep { ($_->{content}{body} // '') =~ /lie|bare|else|by c/ }
     events($room)), 'nothing of that is in the room');

# A banned participant, a kicked one

call('ann@t', 'PUT', "/v1/rooms/$room/members/"
     . ($bob =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger)
     . '/power-level', { power_level => 0 });
is(call('ann@t', 'POST', "/v1/rooms/$room/ban",
        { participant_id => $bob })->{data}{membership}, 'ban',
   'a foreign participant is banned');
is($b->tell(says('bob', 'message', { body => 'still here' })),
   'rejected SW_ROOM_NOT_FOUND', 'and sends no more');
is($b->tell(says('bob', 'member', { membership => 'join' })),
   'rejected SW_ROOM_NOT_FOUND', 'nor joins');
is($b->tell(says('eve', 'member', { membership => 'leave' })), 'applied',
   'an invite is declined');
unlike(members($room), qr/eve/, 'and gone');
is($b->tell(says('eve', 'message', { body => 'x' })),
   'rejected SW_ROOM_NOT_FOUND', 'a server without anybody in the room');

# An archived room

my $frozen = room('Frozen', 1);

invite('ann@t', $frozen, $bob);
is($b->tell($b->event($frozen, 'bob', 'member', { membership => 'join' })),
   'applied', 'another room');
call('ann@t', 'POST', "/v1/rooms/$frozen/archive");
is($b->tell($b->event($frozen, 'bob', 'message', { body => 'x' })),
   'rejected SW_ROOM_FROZEN', 'an archived room is frozen for all');
is($b->tell($b->event($frozen, 'bob', 'member', { membership => 'leave' })),
   'applied', 'but can be left');

# Who left a room last may bring it back, if there is a place

my $left = room('Left', 1, room_type => 'public');

$b->tell($b->event($left, 'bob', 'member', { membership => 'join' }));
call('ann@t', 'POST', "/v1/rooms/$left/leave");
is($b->tell($b->event($left, 'bob', 'member', { membership => 'leave' })),
   'applied', 'the last one leaves');

for ([0, 'rejected SW_FED_POLICY', 'but not into a room that is full of them'],
     [5, 'applied', 'and brings it back'])
{
    policy({ allowed_peers => [$b->name, $c->name],
             max_foreign_participants_per_room => $_->[0] });
    is($b->tell($b->event($left, 'bob', 'state', { state => 'open' })),
       $_->[1], $_->[2]);
}

is(redis('HGET', "sw:{t}:r:$left", 'joined'), 1, 'being in it again');

# Federated DMs

$res = call('ann@t', 'POST', '/v1/me/federated-dms', { fqid => $bob });
is($res->{status}, 201, 'a DM with another server');
is($res->{data}{room_type}, 'dm', 'is a DM');
ok($res->{data}{federated}, 'that is federated');
is($res->{data}{name}, 'Bob', 'called by the other side');
is(call('ann@t', 'POST', '/v1/me/federated-dms', { fqid => $bob })->{status},
   200, 'one for each pair');
is($b->tell($b->event($res->{data}{id}, 'bob', 'message', { body => 'dm' })),
   'applied', 'the other side is in it');
is(call('ann@t', 'POST', '/v1/me/federated-dms',
        { fqid => $c->fqid('carl') })->{status}, 201,
   'whom we ask is allowed by that');
policy({ default_mode => 'allowlist', allowed_peers => ['a.example'] });
is(call('ann@t', 'POST', '/v1/me/federated-dms',
        { fqid => $c->fqid('cid') })->{code}, 'SW_FED_POLICY',
   'unless the policy is closed');
is($b->tell($b->event($res->{data}{id}, 'bob', 'message', { body => 'dm' })),
   '403 SW_FED_POLICY', 'as it is for requests');

unlike(nginx_log(), qr/\[(?:alert|crit)\]|signal/, 'the log is clean');

stop_nginx();

done_testing();
