# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A participant is erased: nothing of what they said is left in the store, nor
# what they were called.  Two nodes of two workers, which die in the middle.

use strict;
use warnings;

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Row;
use RoomsTest::Deployment;
use RoomsTest::Process qw(slurp wait_for);

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-erase-XXXXXXXX', TMPDIR => 1);
my $long = 300 * patience();
my $messages = $ENV{TEST_ROOMS_ERASE} || 10_000;

my ($x, $y) = map {
    my $node = RoomsTest::Deployment->new($_, "$dir", name => 'rooms.test',
                    store => 'redis://127.0.0.1:' . redis_port() . '/0');
    $node->start;
    $node;
} qw(x y);

tenant('t');
server_port_is($x->port);

# Everything in the store, as text.
sub everything {
    my %read = (string => sub { redis('GET', $_[0]) },
                hash => sub { join "\n", @{redis('HGETALL', $_[0])} },
                zset => sub { join "\n", @{redis('ZRANGE', $_[0], 0, -1)} },
                set => sub { join "\n", @{redis('SMEMBERS', $_[0])} },
                list => sub { join "\n", @{redis('LRANGE', $_[0], 0, -1)} });

    # some expire while they are read
    return map { my $type = redis('TYPE', $_);

                 $type eq 'none' ? ()
                 : ($_ => ($read{$type} || die "$_: $type\n")->($_) // '') }
           @{redis('KEYS', '*')};
}

sub found {
    my ($pattern) = @_;
    my %all = everything();

    return sort grep { /$pattern/ || $all{$_} =~ /$pattern/ } keys %all;
}

sub erasure {
    my ($who) = @_;

    return must('GET', "/v1/admin/participants/$who/erasure", 'root!');
}

sub workers {
    my ($node) = @_;

    return map { m{/proc/(\d+)/} }
           grep { (slurp($_) // '') =~ /^\d+ \(.*?\) \S+ $node->{nginx} / }
           glob '/proc/[0-9]*/stat';
}

# Of one who is called by what is searched for: by hand, as a token has it
known(qw(u1 bob cid root));
must('PUT', '/v1/admin/participants/u1', 'root!',
     { display_name => 'Wilhelmina Zauberfrau', local_id => 'wilhelmina.z',
       email => 'wilhelmina@zauberfrau.example',
       avatar_url => 'https://zauberfrau.example/w.png' });

my $group = make(group => 'u1', name => 'Group');
my $left = make(group => 'bob', name => 'Left');
my $secret = make(incognito => 'bob');
my $dm = must('POST', '/v1/rooms/dm', 'bob', { participant_id => 'u1' },
              'Idempotency-Key' => 'dm')->{id};

admit($group, 'u1', 'bob', 'cid');
admit($left, 'bob', 'u1');
admit($secret, 'bob', 'u1');

my $boundary = 'xXxXboundaryXxXx';
my $medium = "--$boundary\r\nContent-Disposition: form-data; name=\"file\"; "
             . "filename=\"Zauberfrau.txt\"\r\nContent-Type: text/plain\r\n\r\n"
             . "Quaxelbrod\r\n--$boundary--\r\n";
my @uploaded = map {
    must('POST', '/v1/media/upload', 'u1', $medium,
         'Content-Type' => "multipart/form-data; boundary=$boundary",
         'Idempotency-Key' => "up$_")->{media_id};
} 1, 2;
my $kept = must('POST', '/v1/media/upload', 'bob', $medium,
                'Content-Type' => "multipart/form-data; boundary=$boundary")
           ->{media_id};

my @ids;
my $say = sub {
    my ($room, $text, $who, @headers) = @_;

    return must('POST', "/v1/rooms/$room/send", $who // 'u1',
                { content => { body => $text } }, @headers)->{id};
};

my $first = $say->($group, 'Quaxelbrod the first');
my $edited = $say->($group, 'Quaxelbrod original', 'u1',
                    'Idempotency-Key' => 'said');

must('POST', "/v1/rooms/$group/events/$edited/edit", 'u1',
     { content => { body => "Quaxelbrod edit $_" } }) for 1 .. 3;
$say->($dm, 'Quaxelbrod in a DM');
$say->($secret, 'Quaxelbrod in secret', 'u1', 'Idempotency-Key' => 'sec');
$say->($left, 'Quaxelbrod before leaving');
must('POST', "/v1/rooms/$left/leave", 'u1');

my $theirs = $say->($group, 'Kept by Bob', 'bob');

must('POST', "/v1/rooms/$group/events/$theirs/reaction", 'u1',
     { emoji => "\x{1F600}" });
must('POST', "/v1/rooms/$group/events/$theirs/reaction", 'cid',
     { emoji => "\x{1F600}" });
must('POST', "/v1/rooms/$group/events/$first/reaction", 'bob',
     { emoji => "\x{1F600}" });

my $redacted = $say->($group, 'Quaxelbrod taken back');

must('POST', "/v1/rooms/$group/events/$redacted/redact", 'u1');

my @sent = many(24, map { ['POST', '/v1/rooms/' . ($_ % 5 ? $group : $dm)
                           . '/send', 'u1',
                           { content => { body => "Quaxelbrod $_" } }] }
                        1 .. $messages);

is(scalar(grep { $_->{status} != 201 } @sent), 0, "$messages are sent");
cmp_ok(scalar(my @keys = found(qr/Quaxelbrod|[Zz]auberfrau|[Ww]ilhelmina/)),
       '>', 6, 'and found in many keys');

# answers that are kept are packed; these show what u1 has uploaded, and a name
my @kept = map { key("idem:$_") } @{redis('ZRANGE', key('p:u1:answers'), 0, -1)};

is(scalar(@kept), 3, 'answers are kept');
is(redis('EXISTS', @kept), 3, '... each in its place');

is(erasure('u1')->{state}, 'none', 'no erasure yet');
expect('409 SW_PARTICIPANT_ACTIVE', 'POST',
       '/v1/admin/participants/u1/erase', 'root!');
must('POST', '/v1/admin/participants/u1/deactivate', 'root!');
expect("202\ndata.requested_by = \"root\"", 'POST',
       '/v1/admin/participants/u1/erase', 'root!');
expect('202', 'POST', '/v1/admin/participants/u1/erase', 'root!');
expect('409 SW_CONFLICT', 'POST',
       '/v1/admin/participants/u1/reactivate', 'root!');

# whoever holds the lease dies, twice
for my $part (1, 2) {
    ok(wait_for($long, sub { erasure('u1')->{messages}
                             > $part * $messages / 4 }),
       "a part is done: $part");

    kill 'KILL', workers($_) for $part == 1 ? ($x, $y) : ($x);
    sleep 0.2;
    wait_for(30, sub { call('GET', '/v1/workspaces', 'bob')->{status} == 200 });

    my $now = erasure('u1');

    cmp_ok($now->{messages}, '<', $messages, '... and not all of it')
        or diag("state $now->{state}");
}

server_port_is($y->port);
wait_for($long, sub { erasure('u1')->{state} eq 'done' });

my $done = erasure('u1');

is($done->{state}, 'done', 'it is done');
like($done->{finished_at}, qr/^20/, '... at a time');
is($done->{messages}, $messages + 5, 'each message was redacted');
is($done->{reactions}, 1, 'the reaction was taken back');
is($done->{media}, 2, 'media are dropped');
is(redis('HGET', key('p:u1:offboard'), 'skipped'), undef, 'none was left');

my %all = everything();
my @events = map { row_event($_) }
             map { @{redis('ZRANGE', $_, 0, -1)} }
             @{redis('KEYS', key('r:*:events'))};
my %times;

$times{$_->{content}{event_id}}++
    for grep { $_->{event_type} eq 'swp.room.redaction' } @events;

is(scalar(keys %times), $messages + 6, 'each has a redaction');
is(scalar(grep { $_ > 1 } values %times), 0, '... and none has two');
is(scalar(grep { $_->{event_type} eq 'swp.room.reaction'
                 && $_->{sender_id} eq 'u1'
                 && $_->{content}{action} eq 'remove' } @events), 1,
   'the reaction once');
is(scalar(grep { $_->{event_type} eq 'swp.room.message'
                 && $_->{sender_id} eq 'u1' && !$_->{redacted_at} } @events),
   0, 'no message is left');

for my $what (qw(Quaxelbrod [Zz]auberfrau [Ww]ilhelmina)) {
    my @in = grep { /$what/ || $all{$_} =~ /$what/ } sort keys %all;

    # what Bob has uploaded is his own
    @in = grep { !/:media$/ || $all{$_} =~ /$what.*"owner_id":"u1"/ } @in;

    is_deeply(\@in, [], "$what is nowhere in the store")
        or diag(map { "$_: " . substr($all{$_}, 0, 200) . "\n" } @in);
}

is(redis('EXISTS', @kept, key('p:u1:answers')), 0, 'no answer is kept');
unlike(call('POST', '/v1/rooms/dm', 'bob', { participant_id => 'u1' },
            'Idempotency-Key' => 'dm')->{body},
       qr/zauberfrau|wilhelmina/i, '... that a replay could show');

# what others have stays
is_deeply([map { $_->{content}{body} } grep { $_->{id} eq $theirs } @events],
          ['Kept by Bob'], 'what others said stays');

my ($shown) = grep { $_->{id} eq $theirs }
              @{call('GET', "/v1/rooms/$group/messages?from="
                     . (event_place($theirs) + 1), 'bob')->{data}};

is($shown->{reactions}[0]{count}, 1, 'and reactions of others');
expect('404', 'GET', "/v1/media/$_/info", 'bob') for @uploaded;
expect('200', 'GET', "/v1/media/$kept/info", 'bob');
is(redis('HLEN', key('blobs')), 1, 'the content that both had is counted');
is((values %{{@{redis('HGETALL', key('blobs'))}}})[0], 1, '... once');

my $row = must('GET', '/v1/participants/u1', 'bob');

like($row->{display_name}, qr/^erased-[0-9a-f]{10}$/, 'a name of nobody');
is($row->{local_id}, $row->{display_name}, '... and such a local id');
is($row->{avatar_url}, undef, 'no picture');
is($row->{deactivated}, JSON::PP::true(), 'deactivated still');
is(redis('HGET', key('locals'), 'wilhelmina.z'), undef,
   'the local id is free');
is(redis('HGET', key('locals'), $row->{local_id}), 'u1', '... the new one not');
verify_room($_) for $group, $left, $dm, $secret;

# whoever comes back begins anew
expect('200', 'POST', '/v1/admin/participants/u1/reactivate', 'root!');
expect('200', 'POST', '/v1/auth/register', 'u1');

# no name comes back from an administrator who writes it again and again
known('u2');

my @name = ('PUT', '/v1/admin/participants/u2', 'root!',
            { display_name => 'Griselda', email => 'g@griselda.example' });

call(@name);
$say->($group, 'Not in it', 'bob');
must('POST', '/v1/admin/participants/u2/deactivate', 'root!');

my @puts = many(12, (map { \@name } 1 .. 40),
                ['POST', '/v1/admin/participants/u2/erase', 'root!'],
                (map { \@name } 1 .. 200));
my ($asked) = splice @puts, 40, 1;

is($asked->{status}, 202, 'an erasure while its name is written');
ok(wait_for($long, sub { erasure('u2')->{state} eq 'done' }), 'it is done');
is(scalar(grep { $_->{status} != 200 && $_->{status} != 409 } @puts), 0,
   'a name is taken, or refused');
expect('409 SW_CONFLICT', @name);
is_deeply([found(qr/[Gg]riselda/)], [], 'it is nowhere');
like(must('GET', '/v1/participants/u2', 'bob')->{display_name}, qr/^erased-/,
     'it has a name of nobody');
must('POST', '/v1/admin/participants/u2/reactivate', 'root!');
expect('200', @name);

for my $node ($x, $y) {
    my @alerts = grep { !/signal 9/ } grep { /\[(?:alert|crit|emerg)\]/ }
                 split /\n/, $node->log;

    is_deeply(\@alerts, [], 'no alerts');
    $node->stop;
}

done_testing();
