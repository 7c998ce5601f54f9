package RoomsTest;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# What the suites share.  In a suite of blocks:
#
#     use lib 't/lib';
#     use RoomsTest;
#     use Test::Nginx::Socket 'no_plan';
#
# In a suite of plain Test::More tests, leave out the last line.  Loading it
# starts a private redis-server, except with "use RoomsTest -no_redis"; with
# "-cluster" it is a Redis Cluster of one node.

use strict;
use warnings;

use Exporter ();
use File::Path ();
use File::Temp ();
use Test::More ();
use Time::HiRes ();

use RoomsTest::Blocks qw(as default_config failure save saved sent signs);
use RoomsTest::HTTP qw(http_begin http_end http_many http_raw http_req
                       server_port_is);
use RoomsTest::JSON qw(json_get json_like json_problems);
use RoomsTest::Nginx qw(nginx_log nginx_pid nginx_reload run_nginx
                        stop_nginx);
use RoomsTest::Process qw(checked free_port patience);
use RoomsTest::Redis qw(redis redis_pause redis_port redis_resume redis_start
                        redis_stop);

our @EXPORT = qw(
    as checked default_config failure free_port http_begin http_end http_many
    http_raw http_req json_get json_like
    json_problems nginx_log nginx_pid nginx_reload patience redis redis_pause
    redis_port redis_resume redis_start redis_stop run_nginx save saved
    seeded sent server_port_is signs stop_nginx
);

my $owner = $$;
my ($set_up, $servroot, $seed);

sub import {
    my ($class, @args) = @_;
    my %how = map { $_ => 1 } grep { /^-(?:no_redis|cluster)$/ } @args;

    set_up(%how) if !$set_up++;

    RoomsTest::Blocks::register();

    @_ = ($class, grep { !$how{$_} } @args);
    goto &Exporter::import;
}

# By now the suite's file is compiled, and Test::Nginx::Socket loaded if the
# suite uses it.  The pragma avoids a warning if this module is loaded later.
{
    no warnings 'void';
    INIT { RoomsTest::Blocks::register() }
}

sub set_up {
    my (%how) = @_;

    # Without this, a suite ended by a signal would leave its servers running.
    $SIG{PIPE} = 'IGNORE';

    # Each suite has its own port and server root, so suites can run in
    # parallel with either runner.
    $ENV{TEST_NGINX_SERVER_PORT} = free_port()
        if !$ENV{TEST_NGINX_SERVER_PORT} && !$ENV{TEST_NGINX_PORT};

    $ENV{TEST_NGINX_SERVROOT} = $servroot
        = File::Temp::tempdir('rooms-servroot-XXXXXXXX', TMPDIR => 1)
        if !$ENV{TEST_NGINX_SERVROOT};

    # Blocks with the same configuration share an NGINX.
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} //= 0;

    return if $how{'-no_redis'};

    Test::More::plan(skip_all => 'no redis-server found')
        if !RoomsTest::Redis::binary();

    redis_start($how{'-cluster'} ? qw(--cluster-enabled yes
                                         --cluster-announce-ip 127.0.0.1) : ());
    redis('CLUSTER', 'ADDSLOTSRANGE', 0, 16383) if $how{'-cluster'};
}

# Seeds rand() with TEST_ROOMS_SEED, or else with this number, or else with the
# time.  A suite that fails shows its seed.
sub seeded {
    my ($default) = @_;

    $seed = $ENV{TEST_ROOMS_SEED} // $default
            // int(Time::HiRes::time() * 1000) % 100_000;
    srand $seed;
}

END {
    if ($$ == $owner) {
        my $status = $?;

        Test::More::diag("TEST_ROOMS_SEED=$seed")
            if defined $seed
               && ($status || !Test::More->builder->is_passing);
        RoomsTest::Nginx::stop_nginx();
        $? = $status;
        RoomsTest::Redis::remove();
        $status = $?;
        File::Path::remove_tree($servroot)
            if defined $servroot && !$ENV{TEST_NGINX_NO_CLEAN};
        $? = $status;
    }
}

1;
