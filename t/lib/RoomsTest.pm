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
# and in one of plain Test::More tests the same without the last line.  A
# private redis-server is started at once; "use RoomsTest -no_redis" does
# without it.

use strict;
use warnings;

use Exporter ();
use File::Path ();
use File::Temp ();
use Test::More ();

use RoomsTest::Blocks qw(as default_config failure save saved sent signs);
use RoomsTest::HTTP qw(http_many http_raw http_req server_port_is);
use RoomsTest::JSON qw(json_get json_like json_problems);
use RoomsTest::Nginx qw(nginx_log nginx_pid nginx_reload run_nginx
                        stop_nginx);
use RoomsTest::Process qw(checked free_port patience);
use RoomsTest::Redis qw(redis redis_pause redis_port redis_resume redis_start
                        redis_stop);

our @EXPORT = qw(
    as checked default_config failure free_port http_many http_raw http_req json_get json_like
    json_problems nginx_log nginx_pid nginx_reload patience redis redis_pause
    redis_port redis_resume redis_start redis_stop run_nginx save saved
    sent server_port_is signs stop_nginx
);

my $owner = $$;
my ($set_up, $servroot);

sub import {
    my ($class, @args) = @_;
    my $no_redis = grep { $_ eq '-no_redis' } @args;

    set_up($no_redis) if !$set_up++;

    RoomsTest::Blocks::register();

    @_ = ($class, grep { $_ ne '-no_redis' } @args);
    goto &Exporter::import;
}

# The suite's file is compiled now, and Test::Nginx::Socket loaded if it uses
# that.  No warning when this module itself is loaded later than that.
{
    no warnings 'void';
    INIT { RoomsTest::Blocks::register() }
}

sub set_up {
    my ($no_redis) = @_;

    # A suite that a signal ends would leave its servers behind.
    $SIG{PIPE} = 'IGNORE';

    # A port and a server root of its own for each suite, so that suites can
    # run at the same time with either runner.
    $ENV{TEST_NGINX_SERVER_PORT} = free_port()
        if !$ENV{TEST_NGINX_SERVER_PORT} && !$ENV{TEST_NGINX_PORT};

    $ENV{TEST_NGINX_SERVROOT} = $servroot
        = File::Temp::tempdir('rooms-servroot-XXXXXXXX', TMPDIR => 1)
        if !$ENV{TEST_NGINX_SERVROOT};

    # Blocks with the same configuration share an NGINX.
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} //= 0;

    return if $no_redis;

    Test::More::plan(skip_all => 'no redis-server found')
        if !RoomsTest::Redis::binary();

    redis_start();
}

END {
    if ($$ == $owner) {
        my $status = $?;

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
