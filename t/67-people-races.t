# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# People, when many ask at once: two NGINX nodes of two workers on one store.
# Names that several give at the same moment, local ids that several
# want, and a search that goes on while names change.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Deployment;

my $json = JSON::PP->new->utf8->allow_nonref;
my $dir = File::Temp->newdir('rooms-people-XXXXXXXX', TMPDIR => 1);
my ($x, $y) = map {
    my $node = RoomsTest::Deployment->new($_, "$dir", name => 'rooms.test',
                    server => 'rooms_invite_unknown on;',
                    store => 'redis://127.0.0.1:' . redis_port() . '/0');
    $node->start;
    $node;
} qw(x y);

tenant('t');
server_port_is($x->port);
known(qw(ann bob));

# Calls at the same moment, half of them at each node.
sub both {
    my ($concurrency, @calls) = @_;
    my @half = map { my $k = $_; [map { $calls[$_] } grep { $_ % 2 == $k } 0 .. $#calls] }
               0, 1;

    pipe my $in, my $out or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        server_port_is($y->port);
        print $out $json->encode([map { { status => $_->{status}, data => $_->{data} } }
                                  many($concurrency, @{$half[1]})]);
        close $out;
        POSIX::_exit(0);
    }

    close $out;

    my @res = many($concurrency, @{$half[0]});
    my $theirs = do { local $/; <$in> };

    waitpid $pid, 0;

    return @res, @{$json->decode($theirs)};
}

my $index = key('words:people');

sub put { ['PUT', "/v1/admin/participants/$_[0]", 'root!', $_[1]] }

# What the index has of somebody, and what it should have.
sub words_of {
    my ($id) = @_;
    return sort grep { / \Q$id\E\z/ && !/^[*=]/ } @{redis('ZRANGE', $index, 0, -1)};
}

sub row { JSON::PP::decode_json(redis('HGET', key('participants'), $_[0])) }

# one local id, wanted by forty: one has it
my @res = both(20, map { put("want$_", { local_id => 'wanted' }) } 1 .. 40);

is(scalar(grep { $_->{status} == 201 } @res), 1, 'one of forty has the local id');
is(scalar(grep { $_->{status} == 409 } @res), 39, 'and the others hear so');

my ($winner) = grep { ref } map { $_->{status} == 201 ? $_->{data} : () } @res;

is(redis('HGET', key('locals'), 'wanted'), $winner->{id}, 'the store says the same');
is(scalar(grep { /^want\d+\z/ } @{redis('HKEYS', key('participants'))}), 1,
   'and who was refused is not there');

# two who exchange theirs
must('PUT', '/v1/admin/participants/x', 'root!', { local_id => 'left' });
must('PUT', '/v1/admin/participants/y', 'root!', { local_id => 'right' });
both(8, map { (put('x', { local_id => "l$_" }), put('y', { local_id => "l$_" })) } 1 .. 12);

my %locals = @{redis('HGETALL', key('locals'))};

is_deeply([sort grep { /^[xy]\z/ } values %locals], ['x', 'y'],
          'each has one local id');
is($locals{row($_)->{local_id}}, $_, "$_ has the one of its row") for qw(x y);

# one name, given by thirty at once: the index has the last one alone
must('PUT', '/v1/admin/participants/busy', 'root!', { local_id => 'busy' });
@res = both(6, map { put('busy', { display_name => "Name$_ Given$_" }) } 1 .. 30);
cmp_ok(scalar(grep { $_->{status} == 200 } @res), '>', 0, 'names are given');
is(scalar(grep { $_->{status} !~ /^(?:200|409)\z/ } @res), 0, 'or lost the race');

my @words = map { "$_ busy" } sort 'busy', split ' ', lc row('busy')->{display_name};

is_deeply([words_of('busy')], \@words, 'the index has the name of the row alone');

# first tokens, invites and an administrator meet
@res = both(10, map {
    (put("meet$_", { display_name => 'Meet' }),
     ['POST', '/v1/auth/register', "meet$_"],
     ['GET', '/v1/me', "meet$_"])
} 1 .. 20);
is(scalar(grep { $_->{status} !~ /^(?:20[01]|409)\z/ } @res), 0, 'nobody fails');
is(scalar(grep { $_->{status} == 409 } @res), 0, 'or is refused');

for my $i (1 .. 20) {
    my $row = row("meet$i");
    my @workspaces = @{redis('ZRANGE', key("p:meet$i:workspaces"), 0, -1)};

    is_deeply(\@workspaces, [$row->{workspace_id}],
              "meet$i has one personal workspace");
}

# a search goes on while names change: who stands still is shown once
both(8, map { put("still$_", { display_name => "Quint Still$_" }) } 100 .. 159);
both(8, map { put("move$_", { display_name => "Quint Move$_" }) } 100 .. 139);

my ($cursor, %seen);
my $n = 0;

do {
    my $res = call('GET', '/v1/directory/participants?q=quint&limit=7'
                   . (defined $cursor ? "&cursor=$cursor" : ''), 'bob');

    is($res->{status}, 200, 'a page') if $res->{status} != 200;
    $seen{$_->{id}}++ for @{$res->{data}};
    $cursor = $res->{meta}{has_more} ? $res->{meta}{next_cursor} : undef;
    both(4, map { put("move$_", { display_name => "Quint$n Move$_" }) }
            map { 100 + ($n * 8 + $_) % 40 } 0 .. 7);
    $n++;
} while (defined $cursor && $n < 60);

is(scalar(grep { ($seen{"still$_"} // 0) == 1 } 100 .. 159), 60,
   'everybody who stood still is shown once');
is(scalar(grep { $_->{data} && $_->{data}[0] }
          map { call('GET', "/v1/directory/participants?q=quint%20move$_", 'bob') }
          100 .. 139), 40, 'and who moved is found by the new name');

# a picture that one has uploaded, and what is none
sub upload {
    my ($who, $name, $type, $bytes) = @_;
    my $line = 'xXxXboundaryXxXx';

    return must('POST', '/v1/media/upload', $who,
                "--$line\r\nContent-Disposition: form-data; name=\"file\"; "
                . "filename=\"$name\"\r\nContent-Type: $type\r\n\r\n$bytes"
                . "\r\n--$line--\r\n",
                'Content-Type' => "multipart/form-data; boundary=$line")
           ->{media_id};
}

my $png = decode_base64('iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklE'
                        . 'QVR4nGP4z8CAB+GTG8HSALfKY52fTcuYAAAAAElFTkSuQmCC');
my $picture = upload("bob", "me.png", "image/png", $png);
my $note = upload("bob", "me.txt", "text/plain", "no picture");

expect('400 SW_VALIDATION_FAILED avatar_media_id', 'PUT', '/v1/me', @$_)
    for ['ann', { avatar_media_id => $picture }],
        ['bob', { avatar_media_id => $note }],
        ['bob', { avatar_media_id => 'med-01m8hkpszz4520qs84gh548mmp' }],
        ['bob', { avatar_media_id => $picture,
                  avatar_url => 'https://img.example/b.png' }];
is(must('GET', '/v1/me', 'bob')->{avatar_url}, undef, 'nothing was changed');
is(must('PUT', '/v1/me', 'bob', { avatar_media_id => $picture })->{avatar_url},
   "/v1/media/download/$picture", 'an image is one');

my $shown = must('GET', '/v1/participants/bob', 'ann')->{avatar_url};

ok(call('GET', $shown, 'ann')->{body} eq $png, 'which others see');
is(must('PUT', '/v1/me', 'bob', { avatar_url => undef })->{avatar_url}, undef,
   'and it is taken away');

# names in one place: the members' list, a DM and the directory follow at once
my $room = make(group => 'ann');

admit($room, 'ann', 'bob');
make(dm => 'ann', with => 'bob');
must('PUT', '/v1/me', 'bob', { display_name => 'Bobby Tables' });
is((grep { $_->{participant_id} eq 'bob' } members($room, 'ann'))[0]
   {participant}{display_name}, 'Bobby Tables', 'in the list of members');
is(call('GET', '/v1/directory/rooms?q=tables', 'ann')->{data}[0]{name},
   'Bobby Tables', 'the DM is called so, and found so');

# many invite and write to the same few whom nobody has seen
my @rooms = map { make(group => 'ann') } 1 .. 6;

@res = both(12, map { my $ghost = 'idp|ghost' . $_ % 4;
                      (['POST', "/v1/rooms/$rooms[$_ % 6]/invite", 'ann', { participant_id => $ghost }],
                       ['POST', '/v1/rooms/dm', 'bob', { participant_id => $ghost }]) } 1 .. 24);
is(scalar(grep { $_->{status} !~ /^20[01]\z/ } @res), 0, 'whoever they are, they are invited');

for my $i (0 .. 3) {
    my $row = row("idp|ghost$i");

    is($row->{local_id}, "idp-ghost$i", "one row of ghost $i, with its local id");
    is_deeply(redis('ZRANGE', key("p:idp|ghost$i:workspaces"), 0, -1), [$row->{workspace_id}],
              'and with one workspace');
}

my @index = @{redis('ZRANGE', $index, 0, -1)};
my %rows = @{redis('HGETALL', key('participants'))};

is_deeply([grep { my ($id) = / (\S+)\z/; !$rows{$id} } @index], [],
          'the index names nobody who is not there');

is(join('', map { grep { /\[(?:alert|emerg|crit|error)\]/ } split /^/, $_->log } $x, $y), '',
   'no log complains');
$_->stop for $x, $y;

done_testing();
