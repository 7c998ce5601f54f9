package Test::Nginx::Socket;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A small runner for test suites in the format of Test::Nginx::Socket (the
# subset that the suites here use), for machines that lack the distribution
# from CPAN.  It needs Test::Base and core modules only.

use v5.14;
use strict;
use warnings;

use Test::Base -base;

use List::Util ();
use POSIX ();
use Scalar::Util qw(looks_like_number);
use Time::HiRes ();

use Test::Nginx::Runner::Checks ();
use Test::Nginx::Runner::Client ();
use Test::Nginx::Runner::Process ();
use Test::Nginx::Runner::Request ();
use Test::Nginx::Util;

our $VERSION = '0.01';

our @EXPORT = qw(
    add_block_preprocessor add_cleanup_handler add_response_body_check
    add_test_cleanup_handler bail_out check_accum_error_log config_preamble
    env_to_nginx html_dir is_str log_level master_off master_on
    master_process_enabled no_long_string no_root_location no_shuffle plan
    repeat_each run_test run_tests server_addr server_name server_port
    server_port_for_client server_root timeout use_hup worker_connections
    workers
);

# Sections of the CPAN distribution that this runner doesn't test.
my @unsupported = qw(
    charset curl curl_error curl_options curl_protocol http09 http2 http3
    reload_fails request_eval response_body_eval skip_nginx2 skip_openssl
    stap stap_out stap_out_like stap_out_unlike tcp_listen tcp_query
    tcp_query_len tcp_reply todo_nginx udp_listen udp_query udp_reply
    write_resp_body_file
);

# Sections that may have a value for each request.
my @each = qw(
    body_match capture error_code error_code_like json more_headers
    raw_response_headers_like raw_response_headers_unlike response_body
    response_body_like response_body_unlike response_headers
    response_headers_like
);

my $owner = $$;
my ($started, $shutdown_block, $had_user_files);

for my $signal (qw(INT TERM HUP)) {
    my $previous = $SIG{$signal};

    $SIG{$signal} = sub {
        $previous->(@_) if ref $previous;
        exit 128 + POSIX->can("SIG$signal")->();
    };
}

sub add_response_body_check ($) {
    push @Test::Nginx::Runner::Checks::ResponseBodyChecks, shift;
}

sub is_str (@) {
    my ($got, $want, $test) = @_;

    return Test::More::like($got, $want, $test) if ref $want;
    return Test::Base::is($got, $want, $test);
}

sub run_tests () {
    Test::Nginx::Util::nginx_version();

    $ENV{TEST_NGINX_SERVER_PORT} //= $ServerPort;

    my @blocks = Test::Base::blocks();

    @blocks = List::Util::shuffle(@blocks) if !$Test::Nginx::Util::NoShuffle;

    for my $block (@blocks) {
        $_->($block) for @Test::Nginx::Util::BlockPreprocessors;

        $block->set_value(name => "$0 " . $block->name);
        run_test($block);

        $_->($block) for @Test::Nginx::Util::TestCleanupHandlers;
    }

    cleanup();
}

sub stop_nginx {
    my $block = $shutdown_block;

    $shutdown_block = undef;
    Test::Nginx::Runner::Process::stop();
    Test::Nginx::Runner::Checks::check_shutdown_log($block) if $block;
}

my $cleaned;

sub cleanup {
    return if $cleaned++;

    $_->() for @Test::Nginx::Util::CleanupHandlers;
    stop_nginx();
}

# Returns the number of tests to skip and the reason, or nothing.
sub skip_reason {
    my ($block) = @_;
    my $name = $block->name;
    my $spec = $block->skip_nginx;

    if (defined $spec) {
        my ($n, $op, @version) = $spec =~
            /\A\s*(\d+)\s*:\s*([<>]=?)\s*(\d+)\.(\d+)\.(\d+)
             (?:\s*:\s*(.*?))?\s*\z/xs
            or bail_out("$name - bad skip_nginx: $spec");

        my $reason = pop @version;
        my $diff = $NginxVersion
                   <=> Test::Nginx::Util::canon_version(@version);
        my $skip = $op eq '<' ? $diff < 0 : $op eq '<=' ? $diff <= 0
                   : $op eq '>' ? $diff > 0 : $diff >= 0;

        $reason = "nginx version $op " . join('.', @version)
            if !defined $reason || $reason eq '';

        return ($n, $reason) if $skip;
    }

    $spec = $block->skip_eval;

    if (defined $spec) {
        my ($n, $code) = $spec =~ /\A\s*(\d+)\s*:\s*(.*)/s
            or bail_out("$name - bad skip_eval: $spec");
        my $skip = eval "package main; $code";

        bail_out("$name - skip_eval: $@") if $@;

        return ($n, 'skip_eval') if $skip;
    }

    return;
}

sub run_test ($) {
    my ($block) = @_;
    my $name = $block->name;

    return if defined $block->SKIP;

    for my $section (@unsupported) {
        bail_out("$name - this runner has no section $section")
            if defined $block->$section;
    }

    my ($skip, $reason) = skip_reason($block);
    my $todo = $block->todo;

    if (defined $todo) {
        ($skip, $reason) = $todo =~ /\A\s*(\d+)\s*:\s*(.*?)\s*\z/s
            or bail_out("$name - bad todo: $todo");
    }

    if (defined $skip) {
        for (1 .. $RepeatEach) {
            defined $todo
                ? todo_tests("$name - $reason", $skip)
                : skip_tests("$name - $reason", $skip);
        }

        return;
    }

    my $failed = grep { !$_ } Test::More->builder->summary;

    local $Test::Nginx::Util::RandPorts = {};

    return if !prepare($block);

    evaluate($block, 'init');

    for my $repeat (0 .. $RepeatEach - 1) {
        Test::Nginx::Util::write_user_files($block) if $repeat;
        run_requests($block, $repeat);
    }

    if (Test::Nginx::Runner::Process::ended()) {
        Test::Nginx::Runner::Client::extra_failure("$name - nginx has gone");
        Test::Nginx::Runner::Process::report();
    }

    show_log() if $failed < grep { !$_ } Test::More->builder->summary;

    append_log($name);

    $shutdown_block = defined $block->shutdown_error_log
                      || defined $block->no_shutdown_error_log
                          ? $block : undef;
}

sub skip_tests {
    my @args = @_;

    SKIP: { Test::More::skip(@args) }
}

sub todo_tests {
    my @args = @_;

    TODO: { Test::More::todo_skip(@args) }
}

sub evaluate {
    my ($block, $section) = @_;
    my $code = $block->$section;

    return if !$code;

    eval "package main; $code; 1"
        or bail_out($block->name . " - $section failed: $@");
}

# Makes nginx run with the block's configuration.  Returns false if the block
# has no request (must_die).
sub prepare {
    my ($block) = @_;
    my $name = $block->name;
    my $config = $block->config;

    if (!defined $config) {
        bail_out("$name - no config section") if !$started;
        $config = '';
    }

    $config = expand_env_in_text($config, $name);

    local $Test::Nginx::Util::LogLevel = $block->log_level
        if $block->log_level;

    my $text = Test::Nginx::Util::make_config($block, $config);
    my $must_die = $block->must_die;
    my $running = Test::Nginx::Runner::Process::config();

    # Blocks that check the error log also see the lines of nginx's start, so
    # start it anew.
    if (!$Test::Nginx::Util::ForceRestart
        && !$shutdown_block
        && !defined $must_die
        && !grep({ defined $block->$_ }
                 qw(error_log grep_error_log access_log no_access_log
                    shutdown_error_log no_shutdown_error_log
                    post_setup_server_root))
        && defined $running && $running eq $text
        && !Test::Nginx::Runner::Process::ended())
    {
        Test::Nginx::Util::reset_html_dir()
            if $block->user_files || $had_user_files;

    } else {
        stop_nginx();
        Test::Nginx::Util::reset_server_root();
        evaluate($block, 'post_setup_server_root');
        $running = undef;
    }

    $had_user_files = $block->user_files;
    Test::Nginx::Util::write_user_files($block);

    $Test::Nginx::Runner::Checks::LogPos =
        defined $running ? Test::Nginx::Runner::Checks::log_size() : 0;

    $started = 1;

    if (defined $must_die) {
        must_die($block, $text, $must_die);
        return 0;
    }

    return 1 if defined $running;

    my $status = Test::Nginx::Runner::Process::start($text);

    return 1 if !defined $status;

    show_log();
    die "$name - cannot start nginx (status $status):\n",
        Test::Nginx::Runner::Process::stderr_text();
}

sub must_die {
    my ($block, $text, $want) = @_;
    my $name = $block->name;

    for my $repeat (0 .. $RepeatEach - 1) {
        my $status = Test::Nginx::Runner::Process::start($text, 1);

        if (defined $status && $status & 127) {
            Test::More::fail("$name - nginx was killed by signal "
                             . ($status & 127));

        } elsif (looks_like_number($want)) {
            Test::More::is(($status // 0) >> 8, $want,
                           "$name - die with the expected exit code");

        } else {
            Test::More::isnt($status // 0, 0, "$name - die as expected");
        }

        Test::Nginx::Runner::Checks::check_error_log($block, $repeat);

        if (!defined $status) {
            warn "WARNING: $name - nginx must die but it does not\n";
            Test::Nginx::Runner::Process::stop();
        }
    }
}

sub run_requests {
    my ($block, $repeat) = @_;

    my $name = $block->name;
    my $timeout = parse_time(scalar $block->timeout) // timeout();
    my $list = Test::Nginx::Runner::Request::requests($block);
    my $pipelined = $block->pipelined_requests;
    my $count = $pipelined ? @$pipelined : @$list;
    my $need_array = $pipelined || $count > 1;
    my $ignore = defined $block->ignore_response;
    my $raw;

    bail_out("$name - no request") if !$count;

    for my $section (grep { ref $block->$_ eq 'ARRAY' } @each) {
        bail_out("$name - $section has more values than there are requests")
            if @{$block->$section} > $count;
    }

    for my $i (0 .. $count - 1) {
        my $packets = $pipelined ? $list->[0] : $list->[$i];

        $raw = Test::Nginx::Runner::Client::exchange($block, $packets,
                                                     $timeout)
            if !$pipelined || $i == 0;

        if (!$ignore) {
            my $text = $pipelined ? $pipelined->[$i]
                                  : join '', map { $_->{value} } @$packets;
            my $res = Test::Nginx::Runner::Client::parse(
                          $name, $raw // '', $text =~ /\A\s*HEAD\s/);

            $raw = $res->{left};

            warn "WARNING: $name - unexpected bytes after the response\n"
                if defined $raw && $i == $count - 1;

            Test::Nginx::Runner::Checks::check_response(
                $block, $res, $i, $repeat, $need_array);
        }

        Time::HiRes::sleep($block->wait) if $block->wait;

        Test::Nginx::Runner::Checks::check_error_log($block, $repeat);
        Test::Nginx::Runner::Checks::check_access_log($block, $repeat)
            if !$ignore;
    }
}

# After a failure: shows nginx's output.
sub show_log {
    my $text = Test::Nginx::Util::read_file($Test::Nginx::Util::ErrLogFile);
    my @lines = grep { /\[(?:warn|error|crit|alert|emerg)\]/ }
                     split /^/, $text // '';

    splice @lines, 0, -15 if @lines > 15;
    Test::More::diag(@lines) if @lines;
}

sub append_log {
    my ($name) = @_;
    my $file = $ENV{TEST_NGINX_ERROR_LOG};
    my $text = $file
        && Test::Nginx::Util::read_file($Test::Nginx::Util::ErrLogFile);

    return if !$text;

    open my $out, '>>', $file or bail_out("cannot append to $file: $!");
    print $out "\n=== $name\n$text";
}

END {
    if ($$ == $owner) {
        {
            local $?;

            cleanup();
            Test::Nginx::Util::remove_temp_root();
        }

        # Test::Builder leaves the exit status alone after a failure that no
        # plan counts.
        $? ||= 1 if !Test::More->builder->is_passing;
    }
}

1;
