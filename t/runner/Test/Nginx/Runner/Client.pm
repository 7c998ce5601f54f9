package Test::Nginx::Runner::Client;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Sends the packets of a request, reads until the server closes, and parses the
# response.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Select;
use IO::Socket::INET;
use Test::More ();
use Time::HiRes qw(sleep);

use Test::Nginx::Util ();

# A failure outside of the plan must not be followed by complaints about the
# number of tests.
sub extra_failure {
    my ($text) = @_;

    Test::More->builder->no_ending(1);
    Test::More::fail($text);

    return;
}

sub again { return $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR }

# Returns the bytes of the response.
sub exchange {
    my ($block, $packets, $timeout) = @_;

    my $name = $block->name;
    my $addr = $block->server_addr_for_client
               // $Test::Nginx::Util::ServerAddr;

    local $SIG{PIPE} = 'IGNORE';

    my $sock = IO::Socket::INET->new(
        PeerAddr => $addr,
        PeerPort => $Test::Nginx::Util::ServerPortForClient,
        Proto    => 'tcp',
        Timeout  => $timeout,
    );

    if (!$sock) {
        extra_failure("$name - cannot connect to $addr:"
                      . "$Test::Nginx::Util::ServerPortForClient: $!");
        return '';
    }

    $sock->blocking(0);

    my $select = IO::Select->new($sock);
    my $delay = $block->raw_request_middle_delay;
    my ($got, $first) = ('', 1);

    for my $packet (@$packets) {
        my $wait = $packet->{delay_before} // ($first ? undef : $delay);

        sleep $wait if $wait;
        $first = 0;

        my $out = $packet->{value};

        utf8::encode($out) if utf8::is_utf8($out);

        while (length $out) {
            # Read early answers, so that the server needn't wait.
            my ($r, $w) = IO::Select->select($select, $select, undef,
                                             $timeout);

            return timed_out($block, $sock, $got) if !$r;

            if (@$r) {
                my $n = sysread $sock, $got, 65536, length $got;

                return $got if defined $n ? $n == 0 : !again();
            }

            if (@$w) {
                my $n = syswrite $sock, $out;

                if (defined $n) {
                    substr $out, 0, $n, '';

                } elsif (!again()) {
                    warn "$name - write failed: $!\n";
                    $out = '';
                }
            }
        }
    }

    my $shutdown = $block->shutdown;
    shutdown $sock, $shutdown eq '' ? 1 : $shutdown if defined $shutdown;

    while (1) {
        return timed_out($block, $sock, $got)
            if !$select->can_read($timeout);

        my $n = sysread $sock, $got, 65536, length $got;

        last if defined $n && $n == 0;

        if (!defined $n && !again()) {
            warn "WARNING: $name - response read failure: $!\n";
            last;
        }
    }

    close $sock;

    return $got;
}

sub timed_out {
    my ($block, $sock, $got) = @_;

    close $sock;

    if (defined $block->abort) {
        # Time for the server to see that the client has gone.
        sleep 0.01;

    } else {
        extra_failure('ERROR: client socket timed out - ' . $block->name);
    }

    return $got;
}

# Returns { code, headers, raw_headers, content, left }.
sub parse {
    my ($name, $raw, $head) = @_;

    my $res = { code => undef, headers => {}, raw_headers => '',
                content => '', left => undef };

    return $res if $raw eq '';

    my ($top, $body) = split /\r\n\r\n/, $raw, 2;

    if (!defined $body) {
        $body = '';

    } else {
        $res->{raw_headers} = "$top\r\n";
    }

    my @lines = split /\r?\n/, $top;
    my $status = shift @lines;

    $res->{code} = $1 if defined $status
                         && $status =~ m{\A(?:HTTP/\d+\.\d+\s+)?(\d+)\b};

    for my $line (@lines) {
        my ($key, $value) = $line =~ /\A([^:]+?)\s*:\s*(.*?)\s*\z/ or next;

        push @{$res->{headers}{canonical($key)}}, $value;
    }

    $res->{content} = $body;

    return $res if $res->{code} && $res->{code} =~ /\A(?:101|304)\z/;

    my $encoding = header($res, 'Transfer-Encoding');
    my $length = header($res, 'Content-Length');

    if (defined $encoding && $encoding eq 'chunked') {
        return $res if $head && $body eq '';

        @$res{qw(content left)} = unchunk($name, $body,
                                          header($res, 'Trailer'));

    } elsif (defined $length && $length =~ /\A\d+\z/) {
        if ($head) {
            # A pipelined response may follow.
            @$res{qw(content left)} = ('', $body) if $body ne '';

        } elsif (length $body < $length) {
            warn "WARNING: $name - response body truncated: $length"
                 . ' expected, but got ' . length($body) . "\n";

        } elsif (length $body > $length) {
            @$res{qw(content left)} = (substr($body, 0, $length),
                                       substr($body, $length));
        }
    }

    return $res;
}

sub canonical {
    my ($key) = @_;

    $key = lc $key;
    $key =~ tr/_/-/;

    return $key;
}

# The values of all fields of that name, joined with ", ".
sub header {
    my ($res, $key) = @_;
    my $values = $res->{headers}{canonical($key)};

    return $values ? join(', ', @$values) : undef;
}

sub unchunk {
    my ($name, $raw, $trailer) = @_;
    my $decoded = '';

    while ($raw =~ s/\A[ \t]*([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r\n//) {
        my $size = hex $1;

        if ($size == 0) {
            if (defined $trailer) {
                $raw =~ s/\A[^\r\n]+\r\n// for split /,\s*/, $trailer;
            }

            return ($decoded, $raw eq '' ? undef : $raw)
                if $raw =~ s/\A\r\n//;

            last;
        }

        last if length $raw < $size + 2
                || substr($raw, $size, 2) ne "\r\n";

        $decoded .= substr $raw, 0, $size + 2, '';
        substr $decoded, -2, 2, '';
    }

    extra_failure("$name - invalid chunked data received");

    return ($decoded, undef);
}

1;
