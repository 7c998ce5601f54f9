package RoomsTest::Process;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Child processes and free ports.

use strict;
use warnings;

use Exporter 'import';
use Fcntl qw(LOCK_EX LOCK_NB);
use File::Spec ();
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

# Suites run at the same time, and most servers start a while after their port
# was picked.  So each suite has a range of ports of its own, below the
# ephemeral ones, so that no outgoing connection takes one.  A lock on a file
# keeps the range until the suite ends, however it ends; its servers don't
# inherit the lock.  A forked process has another range, since it would pick
# the same random ports as its parent.
use constant { FIRST_PORT => 20000, RANGE => 120, RANGES => 100 };

my ($range, $holder, $lock, %picked);

sub port_range {
    return $range if defined $range && $holder == $$;

    my $dir = File::Spec->tmpdir . "/rooms-ports-$>";

    mkdir $dir, 0700;

    for my $n (map { ($$ + $_) % RANGES } 0 .. RANGES - 1) {
        open $lock, '>>', "$dir/$n" or die "$dir/$n: $!\n";
        next if !flock $lock, LOCK_EX | LOCK_NB;

        $holder = $$;

        return $range = FIRST_PORT + $n * RANGE;
    }

    die "no free range of ports\n";
}

# A port of the suite's range that nobody uses, and that wasn't picked before.
# With more arguments these distances from it are free, too.
sub free_port {
    my @offsets = (0, @_);
    my $first = port_range();
    my $at = int rand RANGE;

    for my $port (map { $first + ($at + $_) % RANGE } 0 .. RANGE - 1) {
        next if $picked{$port};

        my @socks = grep { defined } map {
            IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                  LocalPort => $port + $_,
                                  Listen    => 1,
                                  ReuseAddr => 1)
        } @offsets;

        next if @socks != @offsets;

        $picked{$port} = 1;

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
