# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A worker decides on a message from what it has read lately of the room and
# the member, and the commit guards that.  So nothing that changed meanwhile,
# on another worker or node, lets a message through, and a refusal is of what
# the store has now.

use strict;
use warnings;

use File::Temp ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

# Which of the workers answers is the system's choice.
start('add_header X-Worker $pid always;', workers => 2);
known('ann', 'bob', 'cal');

my $n = 0;

# Sends until each worker has; returns the answers of the last round, one of
# each.
sub send_all {
    my ($room, $who, $body) = @_;
    my %of;

    for (1 .. 1000) {
        my $res = call('POST', "/v1/rooms/$room/send", $who,
                       { content => { body => $body // 'n' . ++$n } });

        $of{$res->{headers}{'x-worker'}} //= $res;
        return values %of if keys %of == 2;
    }

    die "one worker alone\n";
}

sub warm {
    my ($room, $who) = @_;

    send_all($room, $who) for 1 .. 2;
}

# What both workers say.
sub said {
    my ($what, $want, $room, $who, $body) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(join(', ', map { "$_->{status} $_->{code}" =~ s/ $//r }
                  send_all($room, $who, $body)), "$want, $want", $what);
}

sub last_bodies {
    my ($room, $who) = @_;

    return map { $_->{content}{body} // '' }
           @{must('GET', "/v1/rooms/$room/messages?limit=200", $who)};
}

sub commands {
    my ($code) = @_;

    redis('CONFIG', 'RESETSTAT');
    $code->();

    my $stats = redis('INFO', 'commandstats');

    return { $stats =~ /^cmdstat_(\w+):calls=(\d+)/mg };
}

sub room_of {
    my ($kind) = @_;
    my $room = make($kind => 'ann', name => "Room $kind " . ++$n);

    admit($room, 'ann', 'bob', 'cal') if $kind ne 'public';
    must('POST', "/v1/rooms/$room/join", $_, {})
        for $kind eq 'public' ? qw(bob cal) : ();

    return $room;
}

# one round: the room isn't read again

my $room = room_of('group');

# its creator, an early member, and one who has joined after messages

my $cost;

for my $who (qw(ann bob dan)) {
    admit($room, 'ann', 'dan') if $who eq 'dan';
    warm($room, $who);
    $cost = commands(sub { send_all($room, $who) });
    ok(!$cost->{hgetall}, "$who has sent lately: no room is read");
    cmp_ok($cost->{evalsha}, '>=', 2, 'only committed');
}

# with a key, too: its commit guards that the key is free

my $path = "/v1/rooms/$room/send";
my $text = { content => { body => 'keyed' } };
my @key = ('Idempotency-Key' => 'one');
my $first;

$cost = commands(sub { $first = call('POST', $path, 'bob', $text, @key) });
ok(!$cost->{hgetall} && $cost->{get} <= 1, 'a key: only committed');

for (1 .. 8) {
    my $res = call('POST', $path, 'bob', $text, @key);

    is("$res->{status} $res->{body}", "201 $first->{body}", 'its answer')
        if $_ == 1 || $res->{body} ne $first->{body};
}

# the key is looked for before anything is refused

my $deep = { n => 1 };

$deep = { d => $deep } for 1 .. 70;
is(call('POST', $path, 'bob', $_, @key)->{code}, 'SW_IDEMPOTENCY_CONFLICT',
   'the key on another request')
    for { content => { body => 'other' } }, { content => $deep };
must('POST', "/v1/rooms/$room/archive", 'ann', {});

for (1 .. 8) {
    my $res = call('POST', $path, 'bob', $text, @key);

    is($res->{body}, $first->{body}, 'its answer, though the room is frozen')
        if $_ == 1 || $res->{body} ne $first->{body};
}

is(call('POST', $path, 'bob', $text, 'Idempotency-Key' => 'two')->{code},
   'SW_ROOM_FROZEN', 'another key');
must('POST', "/v1/rooms/$room/rejoin", 'ann', {});
is(call('POST', $path, 'bob', $text, 'Idempotency-Key' => 'two')->{status},
   201, '... which that has freed');

# many at once: one is sent

for my $round (1 .. 10) {
    warm($room, 'bob');

    my $last = redis('ZCARD', key("r:$room:events"));
    my @res = many(16, map { ['POST', $path, 'bob', $text,
                              'Idempotency-Key' => "many-$round"] } 1 .. 16);
    my @ok = grep { $_->{status} == 201 } @res;
    my %ids = map { $_->{data}{id} => 1 } @ok;

    is(redis('ZCARD', key("r:$room:events")) - $last, 1, 'one event');
    is(scalar keys %ids, 1, 'which all of them show');
    ok(!grep({ $_->{status} != 201 && $_->{code} ne 'SW_CONFLICT' } @res),
       'or wait for');
}

# each thing that a message relies on, changed while the workers don't look

for my $case (
    ['kick', '404 SW_ROOM_NOT_FOUND', 'group'],
    ['kick', '403 SW_ROOM_FORBIDDEN', 'public'],
    ['ban', '403 SW_ROOM_FORBIDDEN', 'public'],
    ['leave', '404 SW_ROOM_NOT_FOUND', 'group'],
    ['archive', '409 SW_ROOM_FROZEN', 'group'],
    ['close', '409 SW_ROOM_FROZEN', 'group'],
) {
    my ($change, $want, $kind) = @$case;

    $room = room_of($kind);
    warm($room, 'bob');

    must('POST', "/v1/rooms/$room/$change", $change eq 'leave' ? 'bob' : 'ann',
         $change =~ /kick|ban/ ? { participant_id => 'bob' } : {});
    said("$kind, $change", $want, $room, 'bob', 'late');
    ok(!grep({ $_ eq 'late' } last_bodies($room, 'ann')), 'nothing is sent');
}

# ... and back

$room = room_of('group');
warm($room, 'bob');
must('POST', "/v1/rooms/$room/archive", 'ann', {});
said('an archived room', '409 SW_ROOM_FROZEN', $room, 'bob');
must('POST', "/v1/rooms/$room/rejoin", 'ann', {});
said('... that is restored', '201', $room, 'bob');

must('POST', "/v1/rooms/$room/kick", 'ann', { participant_id => 'bob' });
said('a member who was removed', '404 SW_ROOM_NOT_FOUND', $room, 'bob');
admit($room, 'ann', 'bob');
said('... and comes again', '201', $room, 'bob');

must('PUT', "/v1/rooms/$room/members/bob/power-level", 'ann',
     { power_level => 50 });
said('another power', '201', $room, 'bob');

# longer messages than the room has had

my $long = 'x' x 20000;

warm($room, 'ann');
said('the first long one', '201', $room, 'ann', $long);
is(scalar(grep { $_ eq $long } last_bodies($room, 'bob')) >= 2, 1,
   'on both workers');

# another's change of the store itself

warm($room, 'ann');
redis('HSET', key("r:$room"), 'state', 'archived');
said('what another program writes', '409 SW_ROOM_FROZEN', $room, 'ann');

$room = room_of('group');
warm($room, 'ann');
redis('FLUSHALL');
said('an emptied store', '404 SW_ROOM_NOT_FOUND', $room, 'ann');

# a deactivated participant

known('ann', 'bob', 'cal');
$room = room_of('group');
warm($room, 'bob');
must('POST', '/v1/admin/participants/bob/deactivate', 'root!', {});

for my $res (send_all($room, 'bob', 'late')) {
    is($res->{status}, 403, 'a deactivated one');
}

ok(!grep({ $_ eq 'late' } last_bodies($room, 'ann')), 'sends nothing');

# the same ids in another tenant are another room

is(call('POST', "/v1/rooms/$room/send", 'ann@east',
        { content => { body => 'x' } })->{status}, 404, 'another tenant')
    for 1 .. 8;

# a federated room takes only content that can be signed

{
    my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);

    open my $out, '>', "$dir/key" or die "$dir/key: $!\n";
    print $out encode_base64('a' x 32, '');
    close $out or die "$dir/key: $!\n";
    chmod 0640, "$dir/key";

    start("add_header X-Worker \$pid always; rooms_tenant signed;"
          . "rooms_federation on; rooms_federation_key $dir/key;",
          workers => 2);
    tenant('signed');
    known('ann', 'bob', 'cal');

    $room = room_of('group');
    warm($room, 'ann');
    said('any number', '201', $room, 'ann', 1.5);
    must('PUT', "/v1/admin/rooms/$room/federate", 'root!',
         { enabled => true });
    said('federated meanwhile', '400 SW_VALIDATION_FAILED', $room, 'ann',
         1.5);
    said('text', '201', $room, 'ann', 'x');
}

done_testing();
