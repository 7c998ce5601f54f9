package RoomsTest::Stream;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A client of server-sent events.
#
#     my $st = RoomsTest::Stream->new('/v1/sync?since=0', $token, %headers);
#     my $event = $st->next('caught_up');    # skips what comes before it
#     my @events = $st->until('caught_up');  # all up to and with it
#
# An event is {event, id, data, retry}; `data` is decoded, `raw` is not.  A
# comment is {event => ':'}, and a single retry field {event => 'retry'}.
# Methods return undef if nothing arrives in time.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time);

use RoomsTest::HTTP qw(http_raw server_port_is);
use RoomsTest::Process qw(patience);

my $json = JSON::PP->new->utf8;

sub new {
    my ($class, $path, $token, %headers) = @_;
    my $rcvbuf = delete $headers{-rcvbuf};
    my $raw = delete $headers{-raw};
    my $port = delete $headers{-port} // server_port_is();
    my $self = bless { in => '', text => '', events => [], lines => [] },
               $class;

    if ($rcvbuf) {
        socket(my $sock, Socket::PF_INET(), Socket::SOCK_STREAM(), 0)
            or die "socket: $!";
        setsockopt $sock, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), $rcvbuf;
        connect $sock, Socket::pack_sockaddr_in($port,
                                            Socket::inet_aton('127.0.0.1'))
            or die "connect: $!";
        $self->{sock} = $sock;

    } else {
        $self->{sock} = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                              PeerPort => $port)
            or die "connect: $!";
    }

    local $SIG{PIPE} = 'IGNORE';

    syswrite $self->{sock},
        $raw // http_raw('GET', $path, $token, undef,
                         Accept => 'text/event-stream',
                         Connection => 'keep-alive', %headers);

    return $self;
}

# Reads available data, waiting at most the given time; 0: nothing came.
sub fill {
    my ($self, $left) = @_;

    return 0 if $self->{closed};
    return 0 if !IO::Select->new($self->{sock})->can_read($left);

    my $n = sysread $self->{sock}, $self->{in}, 65536, length $self->{in};

    $self->{closed} = 1 if !$n;

    if (!defined $self->{head} && $self->{in} =~ s/\A(.*?\r\n)\r\n//s) {
        my $head = $self->{head} = $1;

        ($self->{status}) = $head =~ /\AHTTP\/1\.[01] (\d+)/;
        $self->{headers}{lc $1} = $2
            while $head =~ /^([^:\r\n]+):[ ]*([^\r\n]*)\r$/mg;
        $self->{chunked} = ($self->{headers}{'transfer-encoding'} // '')
                           eq 'chunked';
    }

    return 1 if !defined $self->{head};

    if (!$self->{chunked}) {
        $self->{text} .= $self->{in};
        $self->{in} = '';

    } else {
        while ($self->{in} =~ /\A([0-9a-f]+)\r\n/i) {
            my ($size, $at) = (hex $1, $+[0]);

            last if length($self->{in}) < $at + $size + 2;

            $self->{text} .= substr $self->{in}, $at, $size;
            substr $self->{in}, 0, $at + $size + 2, '';
            $self->{whole} = 1 if $size == 0;
        }
    }

    while ($self->{text} =~ s/\A(.*?)\n\n//s) {
        my %e;

        for (split /\n/, $1) {
            /\A([a-z]*): ?(.*)\z/ or die "no line of a stream: $_";
            $e{$1 eq '' ? 'event' : $1} = $1 eq '' ? ':' : $2;
        }

        $e{event} //= 'retry' if !defined $e{data};
        $e{raw} = $e{data};
        $e{data} = $json->decode($e{data}) if defined $e{data};
        $e{at} = time;
        push @{$self->{events}}, \%e;
    }

    return 1;
}

# Waits for the header.
sub head {
    my ($self, $seconds) = @_;
    my $until = time() + ($seconds // 30) * patience();

    while (!defined $self->{head} && time() < $until && !$self->{closed}) {
        $self->fill($until - time());
    }

    return $self->{status};
}

# The next event, or the next of that name ('message': one without a name).
sub next {
    my ($self, $name, $seconds) = @_;
    my $until = time() + ($seconds // 30) * patience();

    while (1) {
        while (my $e = shift @{$self->{events}}) {
            push @{$self->{lines}}, $e;

            return $e if !defined $name || ($e->{event} // 'message') eq $name;
        }

        return undef if time() > $until || $self->{closed};

        $self->fill($until - time());
    }
}

sub until {
    my ($self, $name, $seconds) = @_;
    my $at = @{$self->{lines}};

    $self->next($name, $seconds) or return;

    return @{$self->{lines}}[$at .. $#{$self->{lines}}];
}

# Whether nothing comes for the given time (comments don't count).
sub silent {
    my ($self, $seconds) = @_;
    my $until = time() + $seconds;

    while (time() < $until) {
        $self->fill($until - time());
        return 0 if grep { ($_->{event} // '') ne ':' } @{$self->{events}};
        last if $self->{closed};
    }

    return 1;
}

# Whether the server closes the connection.
sub closed {
    my ($self, $seconds) = @_;
    my $until = time() + ($seconds // 30) * patience();

    while (!$self->{closed} && time() < $until) {
        $self->fill($until - time());
    }

    return $self->{closed};
}

sub close {
    my ($self) = @_;

    CORE::close($self->{sock});
    $self->{closed} = 1;
}

1;
