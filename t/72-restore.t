# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The drill of docs/operations.md: the store is saved, everybody goes on
# writing, the older store comes back.

use strict;
use warnings;

use File::Copy ();
use File::Find ();
use File::Temp ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle ();
use RoomsTest::Calls;
use RoomsTest::HTTP ();
use RoomsTest::Process qw(slurp wait_for);
use RoomsTest::Roomsctl;

plan skip_all => 'missing: ' . roomsctl_missing() if roomsctl_missing();

my $media = File::Temp->newdir('rooms-restore-XXXXXXXX', TMPDIR => 1);

tenant('acme');
start('rooms_media_sweep 1s;', workers => 2,
      http => "    rooms_media_path $media;\n");

known(qw(ann bob));

sub upload {
    my ($text) = @_;
    my ($body, $type) = RoomsTest::Bundle::form($text);
    my $res = http_req('POST', '/v1/media/upload', token('ann'), $body,
                       'Content-Type' => $type);

    die "upload: $res->[2]\n" if $res->[0] !~ /^2/;

    return JSON::PP::decode_json($res->[2])->{data};
}

sub say_in {
    my ($room, $body) = @_;

    return must('POST', "/v1/rooms/$room/send", 'ann',
                { content => { body => $body } });
}

my $room = make(group => 'ann', name => 'Before');

admit($room, 'ann', 'bob');

my $kept = upload('in the backup');

say_in($room, "before $_") for 1 .. 3;

my $before = must('GET', '/v1/sync?since=0&timeout=0', 'bob');

# the backup: first the store, then the media (here they stay where they are)

redis('SAVE');

my $data = redis('CONFIG', 'GET', 'dir')->[1];
my $backup = File::Temp->newdir('rooms-backup-XXXXXXXX', TMPDIR => 1);

File::Copy::copy("$data/dump.rdb", "$backup/dump.rdb") or die $!;

# and life goes on

my @lost = map { say_in($room, "lost $_") } 1 .. 5;
my $gone = upload('after the backup');
my $late = make(group => 'ann', name => 'After');
my $seen = must('GET', "/v1/sync?since=$before->{next_cursor}&timeout=0",
                'bob');
my %given = map { $_->{stream_position} => 1 } @lost, @{$seen->{events}};
my $epoch = $seen->{epoch};

is(scalar @{$seen->{events}}, 5, 'what will be lost was seen');

# the store is lost, and the backup is put in its place

redis_stop();
File::Copy::copy("$backup/dump.rdb", "$data/dump.rdb") or die $!;
redis_start();
wait_for(30, sub { call('GET', "/v1/rooms/$room", 'ann')->{status} == 200 })
    or diag('the store is not back');

is(call('GET', "/v1/rooms/$late", 'ann')->{status}, 404,
   'what came after the backup is gone');

like(roomsctl('restored', 'acme'), qr/^tenant acme: epoch \w{32}$/,
     'roomsctl restored');
is(roomsctl_status(), 0, 'status 0');
like(roomsctl('restored', 'nobody'), qr/no tenant "nobody"/, 'no such tenant');
is(roomsctl_status(), 2, 'status 2');
is(roomsctl('verify', 'acme'), "tenant acme: nothing differs\n",
   'the store is sound');

# clients that follow are told to reload

my $res = call('GET', "/v1/sync?since=$seen->{next_cursor}&epoch=$epoch"
               . '&timeout=0', 'bob');

is($res->{status}, 200, 'a client goes on');
is($res->{data}{reset}, 'epoch', 'it is told to reload');
is_deeply($res->{data}{events}, [], 'no events');
isnt($res->{data}{epoch}, $epoch, 'a new epoch');

# no position comes twice, and what is said now is heard

my @new = map { say_in($room, "new $_") } 1 .. 5;

ok(!grep({ $given{$_->{stream_position}} } @new), 'no position comes twice');

my ($highest) = sort { $b <=> $a } keys %given;

ok($new[0]{stream_position} > $highest, 'they are above all that were given');

my $next = must('GET', "/v1/sync?since=$res->{data}{next_cursor}&timeout=0"
                . "&epoch=$res->{data}{epoch}", 'bob');

is_deeply([map { $_->{content}{body} } @{$next->{events}}],
          [map { "new $_" } 1 .. 5], 'the client hears all of it, once');

# a client that doesn't know of epochs misses nothing of what is new, either

$next = must('GET', "/v1/sync?since=$seen->{next_cursor}&timeout=0", 'bob');
is_deeply([map { $_->{content}{body} } @{$next->{events}}],
          [map { "new $_" } 1 .. 5], 'nor does one without an epoch');

# the sweep removes what the older store doesn't know, when it is a day old,
# and nothing else

sub files {
    my @files;

    File::Find::find({ no_chdir => 1, wanted => sub {
        push @files, $_ if m{/[0-9a-f]{64}\z};
    } }, "$media");

    return @files;
}

my $two = files();

is($two, 2, 'both contents are still there');
utime time - 200_000, time - 200_000, files();
ok(wait_for(60, sub { files() == 1 }), 'the sweep takes one');
is(http_req('GET', "/v1/media/download/$kept->{media_id}",
            token('bob'))->[2], 'in the backup', 'not what the store knows');
is(call('GET', "/v1/media/download/$gone->{media_id}", 'ann')->{status}, 404,
   'the other one is unknown');

# what is missing can be uploaded again

my $again = upload('after the backup');

is(http_req('GET', "/v1/media/download/$again->{media_id}",
            token('bob'))->[2], 'after the backup', 'uploaded again');

done_testing();
