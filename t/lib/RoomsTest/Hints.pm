package RoomsTest::Hints;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A relay in front of Redis that disturbs subscriptions.  Published messages
# arrive late, twice, in another order, or not at all; everything else is
# passed on unchanged.
#
#     my $port = hints_relay($redis_port, drop => 0.2, double => 0.2,
#                            delay => 0.4);
#
# Probabilities are from 0 to 1; `delay` is the longest delay, in seconds.

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use POSIX qw(_exit);
use Time::HiRes qw(time);

use RoomsTest::Process qw(free_port);

our @EXPORT_OK = qw(hints_end hints_relay);

my $owner = $$;
my @pids;

END {
    if ($$ == $owner) {
        local $?;

        hints_end();
    }
}

sub hints_end {
    kill 'KILL', $_ for @pids;
    waitpid $_, 0 for splice @pids;
}

sub hints_relay {
    my ($to, %how) = @_;
    my $port = $how{port} // free_port();
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       LocalPort => $port, Listen => 64,
                                       ReuseAddr => 1) or die "listen: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        $SIG{PIPE} = 'IGNORE';
        srand(defined $how{seed} ? $how{seed} : 1);
        eval { relay($listen, $to, %how) };
        _exit(0);
    }

    push @pids, $pid;
    close $listen;

    return $port;
}

# The length of the RESP reply at the start of a text; undef: incomplete.
sub reply_length {
    my ($text, $at) = @_;

    return undef if substr($text, $at) !~ /\A([-+:\$*])([^\r]*)\r\n/;

    my ($type, $n, $len) = ($1, $2, $+[0]);

    return $len if $type =~ /[-+:]/ || $n < 0;

    if ($type eq '$') {
        return length($text) - $at >= $len + $n + 2 ? $len + $n + 2 : undef;
    }

    for (1 .. $n) {
        my $more = reply_length($text, $at + $len) // return undef;

        $len += $more;
    }

    return $len;
}

sub relay {
    my ($listen, $to, %how) = @_;
    my $select = IO::Select->new($listen);
    my (%other, %redis, %subscribed, %in, @later);

    my $drop = sub {
        my ($sock) = @_;
        my $other = delete $other{$sock} or return;

        delete $other{$other};
        delete @{$_}{$sock, $other} for \%redis, \%subscribed, \%in;
        @later = grep { $_->[1] != $sock && $_->[1] != $other } @later;
        $select->remove($sock, $other);
        close $_ for $sock, $other;
    };
    my $put = sub {
        my ($sock, $text) = @_;

        $sock->blocking(1);

        while (length $text) {
            my $n = syswrite $sock, $text;

            return $drop->($sock) if !$n;
            substr $text, 0, $n, '';
        }
    };
    my $hint = sub {
        my ($client, $text) = @_;

        return if rand() < ($how{drop} // 0);

        push @later, [time + rand($how{delay} // 0), $client, $text]
            for 1 .. 1 + (rand() < ($how{double} // 0));
    };

    while (1) {
        my $now = time;

        for (grep { $_->[0] <= $now } @later) {
            $put->($_->[1], $_->[2]) if $other{$_->[1]};
        }

        @later = grep { $_->[0] > $now } @later;

        for my $sock ($select->can_read(@later ? 0.005 : 0.2)) {

            if ($sock == $listen) {
                my $client = $listen->accept or next;
                my $redis = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                                  PeerPort => $to);

                if (!$redis) {
                    close $client;
                    next;
                }

                $other{$client} = $redis;
                $other{$redis} = $client;
                $redis{$redis} = 1;
                $in{$redis} = '';
                $select->add($client, $redis);
                next;
            }

            my $other = $other{$sock} // next;

            if (!sysread $sock, my $text, 65536) {
                $drop->($sock);
                next;

            } elsif (!$redis{$sock}) {
                $subscribed{$sock} = 1 if $text =~ /SUBSCRIBE/;
                $put->($other, $text);

            } elsif (!$subscribed{$other}) {
                $put->($other, $text);

            } else {
                $in{$sock} .= $text;

                while ($other{$sock}
                       && defined(my $n = reply_length($in{$sock}, 0)))
                {
                    my $reply = substr $in{$sock}, 0, $n, '';

                    $reply =~ /\A\*3\r\n\$7\r\nmessage\r\n/
                        ? $hint->($other, $reply) : $put->($other, $reply);
                }
            }
        }

        _exit(0) if getppid() == 1;
    }
}

1;
