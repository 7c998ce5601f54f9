package RoomsTest::HTTP;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# An HTTP client that can send many requests at the same time.

use strict;
use warnings;

use Errno qw(EAGAIN EINPROGRESS EINTR EWOULDBLOCK);
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use RoomsTest::Process qw(patience);
use RoomsTest::Secrets qw(secrets_sent);

our @EXPORT_OK = qw(http_begin http_end http_many http_raw http_req
                    server_port_is);

my $port;

# The port to connect to: that of run_nginx(), else that of the blocks.
sub server_port_is {
    $port = shift if @_;

    return $port // $ENV{TEST_NGINX_SERVER_PORT} // $ENV{TEST_NGINX_PORT}
           // 1984;
}

# The bytes of a request.  The token goes to a Bearer Authorization field; a
# body that is a reference is encoded as JSON.
sub http_raw {
    my ($method, $path, $token, $body, %headers) = @_;
    my %names = map { lc $_ => 1 } keys %headers;

    if (ref $body) {
        require JSON::PP;
        $body = JSON::PP->new->utf8->canonical->encode($body);
    }

    my @lines = ("$method $path HTTP/1.1");

    push @lines, 'Host: localhost' if !$names{host};
    push @lines, 'Connection: close' if !$names{connection};
    push @lines, "Authorization: Bearer $token"
        if defined $token && $token ne '' && !$names{authorization};

    if (defined $body) {
        utf8::encode($body) if utf8::is_utf8($body);

        push @lines, 'Content-Type: application/json'
            if !$names{'content-type'};
        push @lines, 'Content-Length: ' . length $body
            if !$names{'content-length'} && !$names{'transfer-encoding'};
    }

    push @lines, map { "$_: $headers{$_}" } sort keys %headers;

    return join("\r\n", @lines) . "\r\n\r\n" . ($body // '');
}

# One request: http_req($method, $path, $token, $body, %headers) returns
# [status, headers, body], with the names of the headers in lower case.
sub http_req {
    return http_many([http_raw(@_)])->[0];
}

# Sends a request (bytes, or the arguments of http_raw()) and doesn't wait for
# the response.  Returns the connection.
sub http_begin {
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => server_port_is())
        or die "connect: $!\n";

    print {$sock} @_ == 1 ? $_[0] : http_raw(@_);
    $sock->flush;

    return $sock;
}

# Waits some seconds for the response; returns it as http_req() does.
sub http_end {
    my ($sock, $seconds) = @_;
    my $deadline = time() + ($seconds // 20) * patience();
    my $select = IO::Select->new($sock);
    my $conn = { in => '' };

    until (complete($conn)) {
        my $left = $deadline - time();

        last if $left <= 0 || !$select->can_read($left)
                || !sysread $sock, $conn->{in}, 65536, length $conn->{in};
    }

    close $sock;

    return parse($conn);
}

# Sends requests (bytes, or the arguments of http_raw() as an array), up to
# $concurrency of them at a time: it makes all connections, then writes all
# requests, then reads the responses.  Returns the responses in the order of
# the requests; a status of 0 means no response.
sub http_many {
    my ($requests, $concurrency, $timeout) = @_;
    my @bytes = map { ref $_ ? http_raw(@$_) : $_ } @$requests;
    my @responses;

    secrets_sent(@bytes);
    $concurrency ||= @bytes;

    while (@bytes) {
        push @responses, round(($timeout // 10) * patience(), splice @bytes, 0,
                               $concurrency);
    }

    secrets_sent(map { $_->[2] // '' } @responses);

    return \@responses;
}

sub busy {
    return $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR
           || $! == EINPROGRESS;
}

sub round {
    my ($timeout, @bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $deadline = time() + $timeout;
    my @conns = map { +{ out => $_, in => '', head => scalar(/\AHEAD /) } }
                    @bytes;
    my %by_fd;

    for my $conn (@conns) {
        $conn->{sock} = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                              PeerPort => server_port_is(),
                                              Timeout  => $timeout)
            or next;
        $conn->{sock}->blocking(0);
        $by_fd{fileno $conn->{sock}} = $conn;
    }

    my $readers = IO::Select->new(map { $_->{sock} } values %by_fd);
    my $writers = IO::Select->new($readers->handles);
    my $drop = sub {
        $writers->remove($_[0]);
        $readers->remove($_[0]);
        close $_[0];
    };

    # A first write for each before anything is read.
    my @ready = grep { $_ } map { $_->{sock} } @conns;

    while (1) {
        for my $sock (@ready) {
            my $conn = $by_fd{fileno $sock};
            my $n = syswrite $sock, $conn->{out};

            substr $conn->{out}, 0, $n, '' if defined $n;
            $writers->remove($sock)
                if $conn->{out} eq '' || (!defined $n && !busy());
        }

        my $left = $deadline - time();

        last if !$readers->count || $left <= 0;

        my ($r, $w) = IO::Select->select($readers, $writers, undef, $left);

        last if !$r;

        for my $sock (@$r) {
            my $conn = $by_fd{fileno $sock};
            my $n = sysread $sock, $conn->{in}, 65536, length $conn->{in};

            next if !defined $n && busy();

            $drop->($sock) if !$n || complete($conn);
        }

        @ready = grep { defined fileno $_ } @$w;
    }

    $drop->($_) for $readers->handles;

    return map { parse($_) } @conns;
}

# Parses the head once it is complete.
sub head_parsed {
    my ($conn) = @_;

    return 1 if defined $conn->{body_at};

    my $end = index $conn->{in}, "\r\n\r\n";

    return 0 if $end < 0;

    my ($status, @lines) = split /\r\n/, substr $conn->{in}, 0, $end;
    my %headers;

    for (@lines) {
        my ($key, $value) = /\A([^:]+?)\s*:\s*(.*?)\s*\z/ or next;

        $key = lc $key;
        $headers{$key} = defined $headers{$key} ? "$headers{$key}, $value"
                                                : $value;
    }

    ($conn->{code}) = $status =~ m{\AHTTP/\S+\s+(\d+)};
    $conn->{headers} = \%headers;
    $conn->{body_at} = $conn->{chunk_at} = $end + 4;
    $conn->{chunked} = ($headers{'transfer-encoding'} // '') eq 'chunked';

    return 1;
}

# Whether the response is complete.  It doesn't look at the same bytes twice.
sub complete {
    my ($conn) = @_;

    head_parsed($conn) or return 0;

    my $code = $conn->{code} // 0;
    my $length = $conn->{headers}{'content-length'};

    return 1 if $conn->{head} || $code == 204 || $code == 304;
    return next_chunks($conn) if $conn->{chunked};
    return defined $length
           && length($conn->{in}) - $conn->{body_at} >= $length;
}

# Moves on to the first incomplete chunk; returns true after the last chunk.
sub next_chunks {
    my ($conn) = @_;

    while (1) {
        my $at = $conn->{chunk_at};
        my $end = index $conn->{in}, "\r\n", $at;

        return 0 if $end < 0;

        my ($hex) = substr($conn->{in}, $at, $end - $at)
                    =~ /\A([0-9A-Fa-f]+)/ or return 0;
        my $size = hex $hex;

        # header fields may follow the last chunk
        return index($conn->{in}, "\r\n\r\n", $end) >= 0 if $size == 0;
        return 0 if length($conn->{in}) < $end + 2 + $size + 2;

        push @{$conn->{chunks}}, [$end + 2, $size];
        $conn->{chunk_at} = $end + 2 + $size + 2;
    }
}

sub parse {
    my ($conn) = @_;

    head_parsed($conn) or return [0, {}, $conn->{in}];

    my $body;

    if ($conn->{chunked}) {
        my $last = next_chunks($conn);

        $body = join '', map { substr $conn->{in}, $_->[0], $_->[1] }
                         @{$conn->{chunks} || []};

        # the part that has arrived of a truncated response
        $body .= $2 if !$last
                       && substr($conn->{in}, $conn->{chunk_at})
                          =~ /\A([0-9A-Fa-f]+)[^\r\n]*\r\n(.*)/s;

    } else {
        $body = substr $conn->{in}, $conn->{body_at};
    }

    return [$conn->{code} // 0, $conn->{headers}, $body];
}

1;
