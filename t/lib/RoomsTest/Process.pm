package RoomsTest::Process;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Child processes and free ports.

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(checked end_process find_program free_port keep_reports
                    patience slurp start_process wait_for write_file);

# The factor for all time limits: larger under valgrind or sanitizers, and on a
# slow machine, set by TEST_ROOMS_PATIENCE.
sub patience {
    return $ENV{TEST_ROOMS_PATIENCE}
           || ($ENV{TEST_NGINX_USE_VALGRIND} ? 10 : checked() ? 5 : 1);
}

# Whether valgrind or sanitizers are in use, which need additional memory.
sub checked {
    return $ENV{TEST_NGINX_USE_VALGRIND} || ($ENV{ASAN_OPTIONS} // '') ne '';
}

# A port below the ephemeral ones, so that no outgoing connection takes it.
sub free_port {
    for (1 .. 1000) {
        my $port = 20000 + int rand 12000;
        my $sock = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                         LocalPort => $port,
                                         Listen    => 1,
                                         ReuseAddr => 1) or next;

        close $sock;

        return $port;
    }

    die "no free port found\n";
}

sub find_program {
    my ($name) = @_;

    return -x $name ? $name : undef if $name =~ m{/};

    for my $dir (split(/:/, $ENV{PATH} || ''), '/usr/sbin',
                 '/usr/local/sbin', '/usr/local/bin')
    {
        return "$dir/$name" if -f "$dir/$name" && -x _;
    }

    return undef;
}

# Starts a program with its output in a file and returns its process id.
sub start_process {
    my ($output, @command) = @_;
    my $pid = fork() // die "fork() failed: $!\n";

    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE __DIE__ __WARN__);
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $output;
    open STDERR, '>&', \*STDOUT;
    { no warnings; exec { $command[0] } @command; }
    print STDERR "cannot run $command[0]: $!\n";
    _exit(127);
}

# Polls until the code returns true; returns false when the time (times
# patience) is up.
sub wait_for {
    my ($seconds, $code) = @_;
    my $deadline = time() + $seconds * patience();
    my $pause = 0.003;

    # polling without a pause would take the processor from the process
    until ($code->()) {
        return 0 if time() > $deadline;
        sleep $pause;
        $pause *= 1.3 if $pause < 0.03;
    }

    return 1;
}

# Sends the signal, then KILL when that did not help; returns the exit status.
sub end_process {
    my ($pid, $signal, $seconds) = @_;
    my $status;
    my $ended = sub {
        my $got = waitpid $pid, WNOHANG;

        $status = $? if $got == $pid;

        return $got != 0;
    };

    local $?;

    return $status if $ended->();

    kill $signal, $pid;

    if (!wait_for($seconds, $ended)) {
        warn "process $pid did not end on $signal\n" if $signal ne 'KILL';
        kill 'KILL', $pid;
        wait_for($seconds, $ended);
    }

    return $status;
}

# Together with ASan, UBSan ignores log_path and writes to the standard error
# stream, which is nginx's error log.  This keeps its reports.
sub keep_reports {
    my $dir = $ENV{TEST_ROOMS_REPORTS} // return;
    my $text = join '', map { slurp($_) } @_;

    while ($text =~ /^(.*: runtime error: .*\n(?:[ ]+#\d+ .*\n)*)/mg) {
        open my $out, '>>', "$dir/ubsan.$$" or die "$dir: $!\n";
        print $out "$1\n";
        close $out or die "$dir: $!\n";
    }
}

sub write_file {
    my ($path, $text) = @_;

    open my $out, '>:raw', $path or die "$path: $!\n";
    print $out $text;
    close $out or die "$path: $!\n";
}

sub slurp {
    my ($path) = @_;

    open my $in, '<:raw', $path or return '';
    local $/;

    return scalar(<$in>) // '';
}

1;
