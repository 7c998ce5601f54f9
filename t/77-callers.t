# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Many callers at once don't push each other out of what a worker remembers:
# who was seen is looked up once, not with each request.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

my @who = map { "caller-$_" } 1 .. ($ENV{TEST_NGINX_USE_VALGRIND} ? 200 : 2000);

start();

# Each asks once, for a list that is two commands.
sub commands {
    redis('CONFIG', 'RESETSTAT');

    my @res = many(16, map { ['GET', '/v1/rooms/archived', $_] } @who);
    my $stats = redis('INFO', 'commandstats');
    my $n = 0;

    die "not all were answered\n" if grep { $_->{status} != 200 } @res;

    $n += $1 while $stats =~ /^cmdstat_(?!info|config|ping)\S+?:calls=(\d+)/mg;

    return $n / @who;
}

my ($n, $first);

# what was seen is known for 30 seconds: a machine that takes longer than that
# for two rounds tries again

for (1 .. 5) {
    my $began = time();

    $first = commands();
    $n = commands();
    last if time() - $began < 25;
}

cmp_ok($first, '>', 4, "a caller's first request takes $first commands");
cmp_ok($n, '<', 2.05, "the next one $n, of " . @who . ' callers');

done_testing();
