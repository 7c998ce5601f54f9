# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# GET /v1/sync that waits, meets rows that can't be read, large pages, a store
# that goes away, or a token that ends.  What it shows is in 15-sync.t.

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(:DEFAULT answer);
use RoomsTest::HTTP ();
use RoomsTest::Token qw(hs256);

my $port = start('', workers => 2);

known(qw(ann bob cy dan));

sub now_at { return redis('GET', key('position')) // 0 }

# One answer, at once.
sub sync {
    my ($who, $since, $more) = @_;

    return must('GET', "/v1/sync?timeout=0&since=$since" . ($more // ''),
                $who);
}

# All of it, page by page.
sub catch_up {
    my ($who, $since, $limit) = @_;
    my ($page, @all);

    do {
        $page = sync($who, $since, "&limit=$limit");
        push @all, @{$page->{events}};
        $since = $page->{next_cursor};
    } while ($page->{has_more});

    return ($since, @all);
}

sub say_it {
    my ($room, $who, $text) = @_;

    return must('POST', "/v1/rooms/$room/send", $who,
                { content => { body => $text } });
}

# A long poll that is under way: waiting() says that it waits, got() what it
# was answered.
sub poll { return poll_as(token($_[0]), @_[1 .. $#_]) }

sub poll_as {
    my ($token, $since, $more) = @_;

    return http_begin('GET', "/v1/sync?since=$since"
                             . ($more // '&timeout=20000'), $token);
}

sub waiting { return !IO::Select->new($_[0])->can_read(0.15) }

sub got { return answer(http_end(@_)) }
sub types { return join ' ', map { $_->{event_type} =~ /([a-z_]+)$/ } @_ }

my $one = make(group => 'ann', name => 'One');
my $dm = make(dm => 'ann', with => 'bob');

admit($one, 'ann', 'bob');
must('POST', "/v1/rooms/$one/invite", 'ann', { participant_ids => ['cy', 'dan'] });

my ($cursor, @got, $here, $message, $last);

# who is invited while they wait learns of themself alone
my @guests = map { make_guest($_) } qw(cy dan);

sub make_guest {
    must('POST', "/v1/rooms/$one/leave", $_[0]);

    return poll($_[0], now_at());
}

must('POST', "/v1/rooms/$one/invite", 'ann',
     { participant_ids => ['cy', 'dan'] });
is_deeply([map { $_->{data}{events}[0]{content}{participant_ids} }
           map { got($_) } @guests], [['cy'], ['dan']], 'also in a poll');
must('POST', "/v1/rooms/$one/leave", $_) for 'cy', 'dan';

# the long poll
$here = now_at();

my $sock = poll('bob', $here);

ok(waiting($sock), 'nothing new: it waits');

my $began = time();

$message = say_it($one, 'ann', 'wake up');

my $res = got($sock);

is($res->{status}, 200, 'answered');
is_deeply($res->{data}{events}, [$message], 'with the event that came');
is($res->{data}{next_cursor}, $message->{stream_position}, 'a cursor');
cmp_ok(time() - $began, '<', 15, 'and not when its time is over');

# both workers wake, whoever writes
for my $n (1 .. 6) {
    $here = now_at();
    my @socks = map { poll('bob', $here) } 1 .. 4;
    waiting($socks[0]);
    $message = say_it($one, 'ann', "round $n");
    is((scalar grep { got($_)->{data}{events}[0]{id} eq $message->{id} }
        @socks), 4, 'four devices, two workers');
}

# not for others, nor for what isn't theirs
$here = now_at();
$sock = poll('cy', $here);
my $sock2 = poll('bob', $here);
ok(waiting($sock), 'cy waits');
say_it($one, 'ann', 'not for cy');
is(types(@{got($sock2)->{data}{events}}), 'message', 'bob is woken');
ok(waiting($sock), 'cy is not');
must('PUT', "/v1/rooms/$one/read", 'bob',
     { event_id => say_it($one, 'ann', 'x')->{id} });
ok(waiting($sock), 'not even by others\' markers');

# an invite wakes; the room does not, until it is joined
must('POST', "/v1/rooms/$one/invite", 'ann', { participant_id => 'cy' });
$res = got($sock);
is($res->{data}{events}[0]{content}{membership}, 'invite',
   'an invite wakes the guest');
$sock = poll('cy', $res->{data}{next_cursor});
ok(waiting($sock), 'who waits again');
say_it($one, 'ann', 'not for guests');
ok(waiting($sock), 'through what is said there');

# joined on another device, while waiting: the room is heard of
must('POST', "/v1/rooms/$one/join", 'cy');
$res = got($sock);
is(types(@{$res->{data}{events}})  =~ /member$/, 1, 'the join wakes');
$sock = poll('cy', $res->{data}{next_cursor});
ok(waiting($sock), 'and again');
$message = say_it($one, 'ann', 'now for cy');
is_deeply(got($sock)->{data}{events}, [$message], 'the room wakes');

# the end of it
$sock = poll('cy', now_at());
ok(waiting($sock), 'waiting');
must('POST', "/v1/rooms/$one/ban", 'ann',
     { participant_id => 'cy', reason => 'enough' });
$res = got($sock);
is($res->{data}{events}[0]{content}{reason}, 'enough', 'a ban is told');
$sock = poll('cy', $res->{data}{next_cursor});
ok(waiting($sock), 'then nothing');
say_it($one, 'ann', 'without cy');
ok(waiting($sock), 'is delivered');
close $sock;

# a marker wakes one's own devices
$here = now_at();
$sock = poll('bob', $here);
ok(waiting($sock), 'another device');
$last = (events($one, 'ann'))[-1];
must('PUT', "/v1/rooms/$one/read", 'bob', { event_id => $last->{id} });
is(types(@{got($sock)->{data}{events}}), 'read_marker', 'hears of it');

# time
$here = now_at();
$began = time();
$res = got(poll('bob', $here, '&timeout=300'));
cmp_ok(time() - $began, '>', 0.28, 'waits as long as it was told');
cmp_ok(time() - $began, '<', 15, 'and not as long as others');
is_deeply($res->{data}, { events => [], next_cursor => "$here",
                          has_more => JSON::PP::false,
                          epoch => redis('HGET', key('tenant'), 'epoch') },
          'and is empty');

# its cursor is up to date although nothing was for it
$sock = poll('dan', $here, '&timeout=500');
say_it($one, 'ann', 'x');
is_deeply(got($sock)->{data}{events}, [], 'nothing for dan');

# since=now
$here = now_at();
$sock = poll('bob', 'now');
ok(waiting($sock), 'it waits for what comes');
$message = say_it($one, 'ann', 'what comes');
is_deeply(got($sock)->{data}{events}, [$message], 'which it gets');

# a cursor of another store
my $epoch = redis('HGET', key('tenant'), 'epoch');

$here = now_at();

for my $case (['ahead', $here + 1, ''], ['ahead', '9007199254740991', ''],
              ['ahead', $here + 1, "&epoch=$epoch"],
              ['epoch', $here, '&epoch=other'], ['epoch', 0, '&epoch=other'],
              ['epoch', 'now', '&epoch=other'],
              ['epoch', $here + 1, "&epoch=x$epoch"])
{
    my ($reset, $since, $more) = @$case;

    # at once, however long it would wait
    is_deeply(got(poll('bob', $since, "$more&timeout=60000"))->{data},
              { events => [], next_cursor => "$here", epoch => $epoch,
                has_more => JSON::PP::false, reset => $reset },
              "since=$since$more: $reset");
}

# one that becomes so while it waits
$sock = poll('bob', $here);
ok(waiting($sock), 'waiting');
redis('SET', key('position'), $here - 5);
is_deeply([@{got($sock, 12)->{data}}{qw(reset next_cursor events)}],
          ['ahead', $here - 5, []], 'the store has gone back');
redis('SET', key('position'), $here);
$last = say_it($dm, 'ann', 'to be read');
$here = now_at();
$sock = poll('bob', $here);
ok(waiting($sock), 'waiting');
redis('HSET', key('tenant'), 'epoch', 'restored');
must('PUT', "/v1/rooms/$dm/read", 'bob', { event_id => $last->{id} });
is(got($sock)->{data}{reset}, 'epoch', 'the store is another');
is(sync('bob', $here, "&epoch=$epoch")->{reset}, 'epoch', 'at the next look');
is(sync('bob', $here, '&epoch=restored')->{epoch}, 'restored', 'it is known');

# a page has a size
my $wide = make(group => 'ann', name => 'Wide');
my $big = 'x' x 60_000;

admit($wide, 'ann', 'bob');
$here = now_at();
my @sent = map { say_it($_ % 3 ? $wide : $one, 'ann', "$_ $big")->{id} } 1 .. 40;
my ($since, @sizes, @seen) = ($here);

for (1 .. 20) {
    my $raw = call('GET', "/v1/sync?timeout=0&limit=500&since=$since", 'bob');

    push @sizes, length $raw->{body};
    push @seen, ids(@{$raw->{data}{events}});
    $since = $raw->{data}{next_cursor};
    last if !$raw->{data}{has_more};
}

is_deeply(\@seen, \@sent, 'large events, each once');
is((scalar grep { $_ > 1_048_576 + 500 } @sizes), 0,
   'no page is longer than 1 MiB') or diag("@sizes");
is((scalar grep { $_ < 900_000 } @sizes), 1, 'nor much shorter, but the last');

# less is read than could be: sizes first
redis('CONFIG', 'RESETSTAT');
sync('bob', $here, '&limit=500');
my ($sent) = redis('INFO', 'stats') =~ /total_net_output_bytes:(\d+)/;
cmp_ok($sent, '<', 2_000_000, 'nor is more of it read');
is(scalar(@{sync('bob', $here, '&limit=20')->{events}}), 17,
   'sizes go before counts');
($since, @seen) = catch_up('bob', $here, 7);
is_deeply([ids(@seen)], \@sent, 'in small pages, too');

# what can't be read ends nothing
$here = now_at();
my @good = map { say_it($wide, 'ann', $_) } 1 .. 3;

for my $rubbish ('{"id":"evt-x"', 'no JSON', '', '7', '[]',
                 '{"content":' . '[' x 300 . ']' x 300 . '}', "{\"a\":\"\xff\"}")
{
    redis('SET', key('position'), now_at() + 1);
    redis('ZADD', key("r:$wide:events"), now_at(), $rubbish);
    redis('ZADD', key('active'), now_at(), $wide);
    redis('HSET', key("r:$wide"), 'position', now_at());
}

push @good, say_it($wide, 'ann', 'behind');
@got = @{sync('bob', $here)->{events}};
is(scalar @got, 11, 'events that can not be read');
is((scalar grep { $_->{unreadable} } @got), 7, 'are shown as such');
is_deeply([grep { !$_->{unreadable} } @got], \@good, 'and the others as ever');
is_deeply([map { $_->{stream_position} } grep { $_->{unreadable} } @got],
          [map { $good[2]{stream_position} + $_ } 1 .. 7], 'with their places');
$sock = poll('bob', now_at());
ok(waiting($sock), 'waiting');
redis('ZADD', key("r:$wide:events"), now_at() + 1, 'while it waits');
redis('ZADD', key('active'), now_at() + 1, $wide);
redis('SET', key('position'), now_at() + 1);
redis('PUBLISH', key('events'), now_at() . " $wide");
is(got($sock)->{data}{events}[0]{unreadable}, JSON::PP::true,
   'one that comes, too');
($cursor, @got) = catch_up('bob', $here, 2);
is(scalar @got, 12, 'page by page');
redis('ZREMRANGEBYSCORE', key("r:$wide:events"), $good[2]{stream_position} + 1,
      $good[3]{stream_position} - 1);
redis('ZREM', key("r:$wide:events"), 'while it waits');
say_it($wide, 'ann', 'so that its last event is one');

# nor do other rows
my $broken = make(group => 'ann', name => 'Broken');

admit($broken, 'ann', 'bob');
$here = now_at();
$message = say_it($one, 'ann', 'readable');
say_it($broken, 'ann', 'hidden');
my $row = redis('HGET', key("r:$broken:members"), 'bob');
redis('HSET', key("r:$broken:members"), 'bob', 'rubbish');
redis('ZADD', key('p:bob:news'), now_at(), '', now_at(), 'm', now_at(),
      'z rubbish', now_at(), 'r no-room', now_at(), 'm no-room');
redis('ZADD', key('p:bob:rooms'), 0, 'rubbish');
redis('ZADD', key('active'), now_at(), 'rubbish', now_at(), ' ', now_at(), '');
is_deeply([ids(@{sync('bob', $here)->{events}})], [$message->{id}],
          'a row that can not be read hides its room alone');
redis('HSET', key("r:$broken:members"), 'bob', $row);
redis('ZREM', key('p:bob:news'), '', 'm', 'z rubbish', 'r no-room',
      'm no-room');
redis('ZREM', key('p:bob:rooms'), 'rubbish');
is(scalar(@{sync('bob', $here)->{events}}), 2, 'until it can be read');

# very much has happened elsewhere: the same, room by room
$here = now_at();
$message = say_it($one, 'ann', 'among many');
redis('ZADD', key('active'), map { (now_at(), "room-$_") } 1 .. 600);
is_deeply(sync('bob', $here)->{events}, [$message], 'in a busy tenant');
is_deeply([ids(@{sync('bob', $here)->{events}})],
          [ids((catch_up('bob', $here, 1))[1])], 'page by page');
$sock = poll('bob', now_at());
ok(waiting($sock), 'waiting');
redis('SET', key('position'), now_at() + 1);
redis('ZADD', key('active'), map { (now_at(), "room-$_") } 1 .. 2500);
$message = say_it($one, 'ann', 'behind many');
is_deeply(got($sock)->{data}{events}, [$message], 'one that waits there');

# the store goes away while they wait, and comes back empty
my @socks = map { poll('bob', now_at()) } 1 .. 4;
ok(waiting($socks[0]), 'waiting for a store');
redis_stop();
is((scalar grep { $_->{status} == 503 } map { got($_, 8) } @socks), 4,
   '503 when it is away');
expect('503 SW_STORE_UNAVAILABLE', 'GET', '/v1/sync', 'bob');
redis_start();

# One worker may answer a whole round while the other still backs off, for a
# second at most: so all must go well for longer than that.
my $up = 0;

for (1 .. 100) {
    my $good = !grep { $_->{status} != 200 }
               many(64, map { ['GET', '/v1/sync?timeout=0', 'bob'],
                              ['POST', '/v1/auth/register', 'bob'] } 1 .. 32);
    $up = $good ? $up + 1 : 0;
    last if $up == 25;
    select undef, undef, undef, 0.05;
}

is($up, 25, 'it is back, for all workers');
known('ann', 'bob');
$one = make(group => 'ann', name => 'Again');
admit($one, 'ann', 'bob');
@socks = map { poll('bob', now_at()) } 1 .. 6;
ok(waiting($socks[0]), 'waiting once more');
$message = say_it($one, 'ann', 'we are back');
is((scalar grep { ($_->{data}{events}[0]{id} // '') eq $message->{id} }
    map { got($_) } @socks), 6, 'and woken');

# only the subscription is lost: nobody misses what is said meanwhile
@socks = map { poll('bob', now_at()) } 1 .. 4;
ok(waiting($socks[0]), 'waiting');
cmp_ok(redis('CLIENT', 'KILL', 'TYPE', 'pubsub'), '>=', 1,
       'subscriptions are cut');
$message = say_it($one, 'ann', 'in the gap');
is((scalar grep { ($_->{data}{events}[0]{id} // '') eq $message->{id} }
    map { got($_) } @socks), 4, 'and nothing is missed');

# a channel that nobody may subscribe to: slower, but right
redis('ACL', 'SETUSER', 'default', 'resetchannels');
redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
$sock = poll('bob', now_at());
ok(waiting($sock), 'waiting without a channel');
$message = say_it($one, 'ann', 'refused');
is(got($sock)->{data}{events}[0]{id}, $message->{id},
   'found without being told');
redis('ACL', 'SETUSER', 'default', 'allchannels');
verify_room($one);

# a poll ends when its token does
my $secret = 'a secret of thirty-two bytes, at least';
my $file = File::Temp->new;

print {$file} $secret;
close $file;

run_nginx(<<"END");
    rooms on;
    rooms_auth jwt;
    rooms_auth_secret_file $file;
    rooms_server_name rooms.test;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
END

# a second has begun: what is left of it counts
select undef, undef, undef, 0.05 while time() - int(time()) > 0.2;

my $until = int(time()) + 3;
my ($short, $long) = map { hs256($secret, sub => 'bob', tenant_id => 'acme',
                                 exp => $_) } $until, $until + 3600;
my @ends = map { poll_as($short, 'now', $_) } '&timeout=60000', '';
my $later = poll_as($long, 'now', '&timeout=1000');

for my $sock (@ends) {
    $res = got($sock, 25);
    is($res->{status}, 200, 'a poll');
    is_deeply($res->{data}{events}, [], 'nothing came');
    cmp_ok(time(), '>=', $until - 0.1, 'not before it must');
    cmp_ok(time(), '<', $until + 20, 'ends with its token');
}

$res = got($later);
is($res->{status}, 200, 'a poll with a token that lives on');
is_deeply($res->{data}{events}, [], 'nothing came');
cmp_ok(time(), '<', $until + 2600, 'ends before that');
stop_nginx();

done_testing();
