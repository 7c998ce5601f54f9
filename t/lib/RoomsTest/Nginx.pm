package RoomsTest::Nginx;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# An nginx for suites without blocks.

use strict;
use warnings;

use Exporter 'import';
use File::Path ();
use File::Temp ();
use POSIX qw(WNOHANG);

use RoomsTest::HTTP ();
use RoomsTest::Process qw(end_process find_program free_port keep_reports
                          slurp start_process wait_for);
use RoomsTest::Secrets qw(secrets_warn);

our @EXPORT_OK = qw(nginx_log nginx_pid nginx_reload run_nginx stop_nginx);

my ($pid, $dir, $port, $options, $runs);

sub nginx_pid { return $pid }

# The content of the error log.
sub nginx_log { return defined $dir ? slurp("$dir/error.log") : '' }

# run_nginx($server_snippet, %options) starts nginx and returns its port.
# Options: workers (with more than one, or with master => 1, there is a
# master process), http, main (snippets), log_level, port, connections,
# default_media (no rooms_media_path is set).
sub run_nginx {
    my ($snippet, %given) = @_;

    stop_nginx();

    $options = \%given;
    $dir = File::Temp::tempdir('rooms-nginx-XXXXXXXX', TMPDIR => 1);
    $port = $given{port} // free_port();

    write_config($snippet);

    my $binary = find_program($ENV{TEST_NGINX_BINARY} || 'nginx')
        or die "no nginx found\n";
    my @command = ($binary, '-p', "$dir/", '-c', "$dir/nginx.conf");

    if ($ENV{TEST_NGINX_USE_VALGRIND}) {
        my $log = $ENV{TEST_NGINX_VALGRIND_LOG};

        $runs++;
        unshift @command, qw(valgrind -q --leak-check=full --num-callers=50
                             --show-possibly-lost=no),
                -f 'valgrind.suppress'
                    ? '--suppressions=valgrind.suppress' : (),
                $log ? "--log-file=$log.$$.run$runs" : ();
    }

    $pid = start_process("$dir/stderr.log", @command);

    my $up = wait_for(30, sub {
        $pid = undef if waitpid($pid, WNOHANG) != 0;

        return !defined $pid || -s "$dir/nginx.pid";
    });

    if (!$up || !defined $pid) {
        my $why = slurp("$dir/stderr.log");

        stop_nginx();
        die "cannot start nginx: $why\n";
    }

    RoomsTest::HTTP::server_port_is($port);

    return $port;
}

sub write_config {
    my ($snippet) = @_;
    my %o = %$options;
    my $workers = $o{workers} // 1;
    my $master = $o{master} // $workers > 1 ? 'on' : 'off';
    my $modules = join '', map { "load_module $_;\n" }
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join '', map { "    ${_}_temp_path $dir/${_}_temp;\n" }
               qw(client_body proxy fastcgi scgi uwsgi);

    # the default is a system folder, which suites must not use
    $temp .= "    rooms_media_path $dir/rooms_media;\n"
        if $modules && !$o{default_media}
           && ($o{http} // '') !~ /^\s*rooms_media_path/m;

    my $level = $o{log_level} // $ENV{TEST_NGINX_LOG_LEVEL} // 'info';
    my $connections = $o{connections} // 1024;

    # The runners do the same with the sections of blocks.
    my ($server, $http, $main) = map {
        my $text = $_ // '';
        $text =~ s/\$(TEST_NGINX_[A-Z0-9_]+)/
                   $ENV{$1} \/\/ die "no $1 in the environment\n"/gex;
        $text;
    } $snippet, @o{qw(http main)};

    open my $out, '>', "$dir/nginx.conf" or die "nginx.conf: $!\n";
    print $out <<"END";
daemon off;
master_process $master;
worker_processes $workers;
pid $dir/nginx.pid;
error_log $dir/error.log $level;
$user
env ASAN_OPTIONS;
env LSAN_OPTIONS;
env UBSAN_OPTIONS;
env LD_PRELOAD;
env ROOMS_TURNS;
$modules
$main

events {
    worker_connections $connections;
}

http {
    access_log $dir/access.log;
    default_type text/plain;
$temp
$http

    server {
        listen 127.0.0.1:$port;
        server_name localhost;

$server
    }
}
END
    close $out or die "nginx.conf: $!\n";
}

# Reloads the configuration, which may be a new one.  Needs a master process.
# Returns when the new workers run and the old ones have got their signal.
sub nginx_reload {
    my ($snippet) = @_;
    my $pattern = qr/start worker processes/;

    write_config($snippet) if defined $snippet;

    my $before = () = nginx_log() =~ /$pattern/g;
    my @old = split ' ', slurp("/proc/$pid/task/$pid/children");

    kill 'HUP', $pid;

    # the old workers accept connections until they get the signal
    return wait_for(30, sub {
        my $log = nginx_log();
        my $now = () = $log =~ /$pattern/g;

        return $now > $before
               && !grep { kill(0, $_)
                          && $log !~ /\b$_#\d+: gracefully shutting down/
                        } @old;
    });
}

# Returns the exit status.
sub stop_nginx {
    my $status;

    if (defined $pid) {
        $status = end_process($pid, 'QUIT', 5);
        $pid = undef;

        my $noise = slurp("$dir/stderr.log");

        $noise =~ s/^nginx: \[.*\n//mg;
        warn $noise if $noise =~ /\S/;
        warn $_ for nginx_alerts();
        secrets_warn("$dir/error.log");
        keep_reports("$dir/stderr.log", "$dir/error.log");
        collect_valgrind_log();
    }

    File::Path::remove_tree($dir)
        if defined $dir && !$ENV{TEST_NGINX_NO_CLEAN};
    $dir = undef;

    return $status;
}

sub nginx_alerts {
    return map { "WARNING: nginx: $_" }
           grep { /\[(?:alert|crit|emerg)\]/ } split /^/, nginx_log();
}

sub collect_valgrind_log {
    my $log = $ENV{TEST_NGINX_VALGRIND_LOG} or return;

    for my $part (glob "$log.$$.run*") {
        open my $out, '>>', $log or return;
        print $out slurp($part);
        close $out;
        unlink $part;
    }
}

1;
