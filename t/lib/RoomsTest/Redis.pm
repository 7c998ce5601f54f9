package RoomsTest::Redis;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A private redis-server and a small client for it.

use strict;
use warnings;

use Exporter 'import';
use File::Path ();
use File::Temp ();
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);

use RoomsTest::Process qw(end_process find_program free_port slurp
                          start_process wait_for);

our @EXPORT_OK = qw(redis redis_pause redis_port redis_resume redis_start
                    redis_stop);

my ($dir, $port, $pid, $paused, $conn, @options);

# TEST_ROOMS_REDIS names the program to use: another version, or Valkey.
sub binary {
    return find_program($ENV{TEST_ROOMS_REDIS} || 'redis-server');
}

sub redis_port { return $port }

# Starts the server; a restarted one keeps its port and its options.
sub redis_start {
    return if defined $pid;

    @options = @_ if @_;

    $dir = File::Temp::tempdir('rooms-redis-XXXXXXXX', TMPDIR => 1)
        if !defined $dir;

    my $first = !defined $port;

    for my $try (1 .. 5) {
        $port = free_port() if $first;

        last if launch();

        die 'cannot start redis-server: ' . slurp("$dir/redis.log")
            if !$first || $try == 5;
    }

    $ENV{TEST_NGINX_REDIS} = acl_user() . "127.0.0.1:$port";
    $ENV{TEST_NGINX_REDIS_PORT} = $port;
    $ENV{TEST_NGINX_REDIS_SOCK} = "$dir/redis.sock";
}

# TEST_ROOMS_ACL has rules for "ACL SETUSER".  The suites then use the store as
# a user with these rules, and a refused command is an error at their end.
sub acl_user {
    my ($name, @rules) = split ' ', $ENV{TEST_ROOMS_ACL} // return '';

    # Redis 6.2 gives a new user all channels
    redis('CONFIG', 'SET', 'acl-pubsub-default', 'allchannels');
    redis('ACL', 'SETUSER', $name, 'reset', @rules);
    redis('ACL', 'LOG', 'RESET');

    my ($password) = map { /^>(.*)/ } @rules;

    return "$name:$password\@";
}

sub acl_refused {
    return '' if !defined $ENV{TEST_ROOMS_ACL} || !defined $pid;

    return join '', map { my %of = @$_; "refused: $of{reason} $of{object}\n" }
                    @{redis('ACL', 'LOG', 100)};
}

sub launch {
    my $sock = "$dir/redis.sock";

    unlink $sock;

    $pid = start_process("$dir/redis.log", binary(),
                         '--port', $port, '--bind', '127.0.0.1',
                         '--unixsocket', $sock, '--dir', $dir,
                         '--save', '', '--appendonly', 'no',
                         '--daemonize', 'no', '--logfile', '', @options);

    my $up = wait_for(10, sub {
        if (waitpid($pid, WNOHANG) != 0) {
            $pid = undef;
            return 1;
        }

        return -S $sock && eval { redis('PING') eq 'PONG' };
    });

    return 1 if $up && defined $pid;

    redis_stop();

    return 0;
}

sub redis_stop {
    $conn = undef;

    return if !defined $pid;

    redis_resume() if $paused;
    end_process($pid, 'TERM', 3);
    $pid = undef;
}

# Lets the server hang: the system accepts connections, but nothing answers.
sub redis_pause {
    kill 'STOP', $pid if defined $pid;
    $paused = 1;
}

sub redis_resume {
    kill 'CONT', $pid if defined $pid;
    $paused = 0;
}

sub remove {
    my $refused = acl_refused();

    if ($refused ne '') {
        print STDERR $refused;
        $? = 1;
    }

    $conn = undef;

    if (defined $pid) {
        local $?;

        end_process($pid, 'KILL', 3);
        $pid = undef;
    }

    File::Path::remove_tree($dir) if defined $dir;
    $dir = undef;
}

# Runs one command and returns its reply: a string, a number, an array
# reference or undef (nil).  Dies of an error reply.
sub redis {
    my @command = @_;

    $conn ||= IO::Socket::UNIX->new(Peer => "$dir/redis.sock")
        or die "cannot connect to redis: $!\n";

    my $bytes = '*' . @command . "\r\n";

    for my $arg (@command) {
        my $copy = "$arg";

        utf8::encode($copy) if utf8::is_utf8($copy);
        $bytes .= '$' . length($copy) . "\r\n$copy\r\n";
    }

    local $SIG{PIPE} = 'IGNORE';

    my $reply = eval {
        print {$conn} $bytes or die "write failed: $!\n";
        $conn->flush;
        read_reply();
    };

    if (my $error = $@) {
        $conn = undef;
        die $error;
    }

    die "$$reply\n" if ref $reply eq 'SCALAR';

    return $reply;
}

sub read_line {
    local $/ = "\r\n";

    my $line = readline $conn;

    die "redis closed the connection\n" if !defined $line;

    chomp $line;

    return $line;
}

# An error is a reference to its text.
sub read_reply {
    my ($type, $rest) = read_line() =~ /\A(.)(.*)\z/s
        or die "bad reply from redis\n";

    return $rest if $type eq '+';
    return 0 + $rest if $type eq ':';
    return \$rest if $type eq '-';
    return undef if $rest < 0;

    if ($type eq '$') {
        my ($data, $want) = ('', $rest + 2);

        read($conn, $data, $want) == $want or die "short reply\n";

        return substr $data, 0, $rest;
    }

    die "unexpected reply type $type\n" if $type ne '*';

    return [map { scalar read_reply() } 1 .. $rest];
}

1;
