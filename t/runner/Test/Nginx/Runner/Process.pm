package Test::Nginx::Runner::Process;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Starts and stops the one nginx of a suite.  It stays in the foreground as
# our child, so that its id and its exit status are certain.

use strict;
use warnings;

use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use Test::Nginx::Util ();

my ($pid, $running_config, $status, $starts);

sub pid    { return $pid }
sub config { return $running_config }

# Checks whether the child has ended; then sets $status and clears the pid.
sub ended {
    return 1 if !defined $pid;

    my $got = waitpid $pid, WNOHANG;

    return 0 if $got == 0;

    $status = $?;
    $pid = $running_config = undef;

    return 1;
}

sub command {
    my $root = $Test::Nginx::Util::ServRoot;

    my @command = (Test::Nginx::Util::find_binary(),
                   '-p', "$root/", '-c', $Test::Nginx::Util::ConfFile);

    splice @command, 1, 0, '-e', $Test::Nginx::Util::ErrLogFile
        if Test::Nginx::Util::nginx_version() >= 1.019005;

    return @command;
}

sub valgrind_command {
    my $how = $Test::Nginx::Util::UseValgrind;
    my @options = qw(-q --num-callers=50);

    if ($how =~ /\A\d+\z/) {
        push @options, qw(--tool=memcheck --leak-check=full
                          --show-possibly-lost=no --keep-debuginfo=yes
                          --gen-suppressions=all);
        push @options, '--suppressions=valgrind.suppress'
            if -f 'valgrind.suppress';

    } else {
        push @options, split ' ', $how;
    }

    push @options, '--log-file=' . valgrind_log()
        if $ENV{TEST_NGINX_VALGRIND_LOG};

    return ('valgrind', @options);
}

# Valgrind truncates its log at each start.  So each run has its own log, which
# is appended to the common one when nginx has stopped.
sub valgrind_log {
    return "$ENV{TEST_NGINX_VALGRIND_LOG}.$$.$starts";
}

# Starts nginx; returns undef once it runs, or the exit status if it ended
# before.
sub start {
    my ($config, $plain) = @_;

    my $valgrind = $Test::Nginx::Util::UseValgrind && !$plain;

    Test::Nginx::Util::write_file($Test::Nginx::Util::ConfFile, $config);
    unlink $Test::Nginx::Util::PidFile;

    $starts++;

    my @command = command();
    unshift @command, valgrind_command() if $valgrind;

    # Without a log file, valgrind's output is shown.
    my $stderr = $Test::Nginx::Util::StderrFile;

    $pid = fork() // die "fork() failed: $!\n";

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE __DIE__ __WARN__);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>>', $stderr
            if !$valgrind || $ENV{TEST_NGINX_VALGRIND_LOG};
        { no warnings; exec { $command[0] } @command; }
        print STDERR "cannot run $command[0]: $!\n";
        _exit(127);
    }

    # nginx listens before it writes the pid file, so the file tells that it is
    # ready.
    my $deadline = time() + ($valgrind ? 120 : 30);

    while (!-s $Test::Nginx::Util::PidFile) {
        return $status if ended();

        if (time() > $deadline) {
            stop();
            return -1;
        }

        sleep 0.003;
    }

    $running_config = $config;

    return undef;
}

sub wait_end {
    my ($seconds) = @_;
    my $deadline = time() + $seconds;

    while (!ended()) {
        return 0 if time() > $deadline;
        sleep 0.003;
    }

    return 1;
}

# Stops nginx and returns its exit status.
sub stop {
    return $status if !defined $pid;

    my $patience = Test::Nginx::Util::timeout();
    my $signal = $ENV{TEST_NGINX_FAST_SHUTDOWN} ? 'TERM' : 'QUIT';

    $patience *= 10 if $Test::Nginx::Util::UseValgrind;

    if (!ended()) {
        kill $signal, $pid;

        if (!wait_end($patience)) {
            warn "nginx did not stop on $signal, it gets TERM\n";
            kill 'TERM', $pid;

            if (!wait_end($patience)) {
                warn "nginx did not stop on TERM, it gets KILL\n";
                kill 'KILL', $pid;
                wait_end($patience);
            }
        }
    }

    report();

    return $status;
}

# The standard error stream of nginx and the sanitizers, without the part that
# is also in the error log; and valgrind's log.
sub report {
    my $text = stderr_text();

    RoomsTest::Process::keep_reports($Test::Nginx::Util::StderrFile,
                                     $Test::Nginx::Util::ErrLogFile)
        if RoomsTest::Process->can('keep_reports');

    $text =~ s/^nginx: \[.*\n//mg;
    warn $text if $text =~ /\S/;

    if ($ENV{TEST_NGINX_VALGRIND_LOG} && $starts) {
        my $part = Test::Nginx::Util::read_file(valgrind_log());

        if (defined $part) {
            unlink valgrind_log();
            open my $out, '>>', $ENV{TEST_NGINX_VALGRIND_LOG} or return;
            print $out $part;
            close $out;
        }
    }
}

sub stderr_text {
    my $text = Test::Nginx::Util::read_file($Test::Nginx::Util::StderrFile);

    return $text // '';
}

1;
