package RoomsTest::Fake;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Servers that a test defines.  my $fake = fake($port, \&serve) calls
# serve($socket, $n) in a process of its own for each connection; $n counts
# them.  stop_fake() ends all servers.

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use POSIX qw(_exit);

use RoomsTest::Process qw(wait_for);

our @EXPORT_OK = qw(fake stop_fake);

my $owner = $$;
my %groups;

sub fake {
    my ($port, $serve) = @_;

    my $listener;

    # a dying child of the previous server may still hold its listening socket
    wait_for(3, sub {
        $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                          LocalPort => $port, Listen => 64,
                                          ReuseAddr => 1);
    }) or die "cannot listen on $port: $!\n";

    my $pid = fork() // die "fork() failed: $!\n";

    if ($pid == 0) {
        setpgrp 0, 0;
        accept_all($listener, $serve);
        _exit(0);
    }

    setpgrp $pid, $pid;
    $groups{$pid} = 1;

    return $pid;
}

sub accept_all {
    my ($listener, $serve) = @_;
    my $n = 0;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP __DIE__ __WARN__);
    $SIG{CHLD} = 'IGNORE';

    while (my $sock = $listener->accept) {
        my $pid = fork() // _exit(1);

        $n++;

        if ($pid == 0) {
            close $listener;
            eval { $serve->($sock, $n) };
            print STDERR $@ if $@;
            close $sock;
            _exit(0);
        }

        close $sock;
    }
}

sub stop_fake {
    my ($pid) = @_;

    return if !delete $groups{$pid};

    kill '-KILL', $pid;
    waitpid $pid, 0;
}

END {
    if ($$ == $owner) {
        local $?;

        stop_fake($_) for keys %groups;
    }
}

1;
