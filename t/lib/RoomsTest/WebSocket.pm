package RoomsTest::WebSocket;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A WebSocket client that can also violate the protocol.
#
#     my $ws = RoomsTest::WebSocket->new('/v1/stream?since=0', $token, %headers);
#     my $said = $ws->next('caught_up');    # the data of a text frame, decoded
#     $ws->frame(opcode => 9, data => 'x', fin => 1, rsv => 0, mask => 1);
#     my ($code, $reason) = $ws->closed;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time);

use Socket qw(SO_RCVBUF);

use RoomsTest::HTTP qw(http_raw server_port_is);
use RoomsTest::Process qw(patience);

my $json = JSON::PP->new->utf8;

sub new {
    my ($class, $path, $token, %headers) = @_;
    my $early = delete $headers{-early} // '';
    my $rcvbuf = delete $headers{-rcvbuf};
    my $self = bless { in => '', frames => [], said => [] }, $class;

    $self->{sock} = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                          PeerPort => server_port_is(),
                                          $rcvbuf
                                          ? (Sockopts => [[SO_RCVBUF, $rcvbuf]])
                                          : ())
        or die "connect: $!";
    syswrite $self->{sock},
        http_raw('GET', $path, $token, undef, Upgrade => 'websocket',
                 Connection => 'keep-alive, Upgrade',
                 'Sec-WebSocket-Version' => 13,
                 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
                 %headers) . $early;

    my $until = time() + 30 * patience();

    while ($self->{in} !~ /\r\n\r\n/ && time() < $until) {
        $self->fill($until - time()) or last;
    }

    if ($self->{in} =~ s/\A(.*?\r\n)\r\n//s) {
        my $head = $self->{head} = $1;

        ($self->{status}) = $head =~ /\AHTTP\/1\.[01] (\d+)/;
        $self->{headers}{lc $1} = $2
            while $head =~ /^([^:\r\n]+):[ ]*([^\r\n]*)\r$/mg;
    }

    return $self;
}

sub fill {
    my ($self, $left) = @_;

    return 0 if $self->{eof} || $left <= 0;
    return 0 if !IO::Select->new($self->{sock})->can_read($left);

    my $n = sysread $self->{sock}, $self->{in}, 65536, length $self->{in};

    $self->{eof} = 1 if !$n;

    return $n ? 1 : 0;
}

# The bytes of a frame.
sub bytes {
    my (%o) = @_;
    my $data = $o{data} // '';
    my $len = $o{len} // length $data;
    my $mask = $o{mask} // 1;
    my $out = chr((($o{fin} // 1) << 7) | (($o{rsv} // 0) << 4)
                  | ($o{opcode} // 1));

    $out .= $len < 126 && !$o{long} ? chr($mask << 7 | $len)
            : $len < 65536 && ($o{long} // 0) < 8
            ? chr($mask << 7 | 126) . pack 'n', $len
            : chr($mask << 7 | 127) . pack 'Q>', $len;

    if ($mask) {
        my $key = pack 'N', 0x37fa213d;

        $data ^= substr $key x (length($data) / 4 + 1), 0, length $data;
        $out .= $key;
    }

    return $out . $data;
}

sub raw {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    syswrite $self->{sock}, $bytes;
}

sub frame { my ($self, %o) = @_; $self->raw(bytes(%o)) }
sub text { my ($self, $text) = @_; $self->frame(data => $text) }

# The next frame, [opcode, data], or undef.
sub get {
    my ($self, $seconds) = @_;
    my $until = time() + ($seconds // 30) * patience();

    while (1) {
        if (length $self->{in} >= 2) {
            my ($head, $len) = unpack 'CC', $self->{in};
            my $at = 2;

            die "a server's frame is masked" if $len & 0x80;
            die "a server's frame is in parts" if !($head & 0x80);

            if ($len == 126 && length $self->{in} >= 4) {
                ($len, $at) = (unpack('x2n', $self->{in}), 4);

            } elsif ($len == 127 && length $self->{in} >= 10) {
                ($len, $at) = (unpack('x2Q>', $self->{in}), 10);
            }

            if (($at > 2 || $len < 126) && length $self->{in} >= $at + $len) {
                my $data = substr $self->{in}, $at, $len;

                substr $self->{in}, 0, $at + $len, '';

                return [$head & 0x7f, $data];
            }
        }

        $self->fill($until - time()) or return undef;
    }
}

# The decoded data of the next text frame, or of the next of a type.  Answers
# pings.
sub next {
    my ($self, $type, $seconds) = @_;
    my $until = time() + ($seconds // 30) * patience();

    while (my $f = $self->get(($until - time()) / patience())) {
        my ($opcode, $data) = @$f;

        if ($opcode == 9) {
            $self->{pings}++;
            $self->frame(opcode => 10, data => $data) if !$self->{mute};
            next;
        }

        if ($opcode == 8) {
            $self->{close} = [unpack('n', $data), substr $data, 2];
            return undef;
        }

        next if $opcode != 1;

        my $said = $json->decode($data);

        push @{$self->{said}}, $said;

        return $said if !defined $type || ($said->{type} // '') eq $type;
    }

    return undef;
}

sub until {
    my ($self, $type, $seconds) = @_;
    my $at = @{$self->{said}};

    $self->next($type, $seconds) or return;

    return @{$self->{said}}[$at .. $#{$self->{said}}];
}

# Code and reason of the close frame.  gone() tells whether the connection has
# ended.
sub closed {
    my ($self, $seconds) = @_;

    $self->next('no such type', $seconds) if !$self->{close};

    return $self->{close} ? @{$self->{close}} : ();
}

sub gone {
    my ($self, $seconds) = @_;
    my $until = time() + ($seconds // 30) * patience();

    while (!$self->{eof} && time() < $until) {
        $self->fill($until - time());
    }

    return $self->{eof};
}

sub close { CORE::close($_[0]{sock}) }

1;
