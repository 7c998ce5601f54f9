package RoomsTest::Peer;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A server that receives events from others, written only from the contract.
# It records the requests and answers them in a chosen mode.
#
#     my $peer = RoomsTest::Peer->new(seed => 'b' x 32, ip => '127.0.0.1');
#     $peer->mode('500');                 # from now on
#     my @sent = $peer->sent;             # requests, in their order
#     $peer->down; $peer->up;

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();
use Time::HiRes qw(sleep time);

use RoomsTest::JSON ();
use RoomsTest::Process qw(end_process free_port slurp);
use RoomsTest::Signer ();

my $json = JSON::PP->new->utf8->canonical;

sub new {
    my ($class, %o) = @_;
    my $port = $o{port} // free_port();
    my $ip = $o{ip} // '127.0.0.1';
    my $self = bless {
        ip => $ip, port => $port, name => "$ip:$port",
        dir => File::Temp->newdir('rooms-peer-XXXXXXXX', TMPDIR => 1),
        owner => $$,
    }, $class;

    $self->{signer} = RoomsTest::Signer->new($self->{name}, $o{seed})
        if $o{seed};
    $self->mode('ok');
    $self->up;

    return $self;
}

# Modes: ok, reject (the first event), slow, hang, garbage, short, cut,
# redirect, or a status.
sub mode {
    my ($self, $mode) = @_;

    RoomsTest::Signer::write_file("$self->{dir}/mode.new", $mode);
    rename "$self->{dir}/mode.new", "$self->{dir}/mode" or die "mode: $!\n";
}

sub up {
    my ($self) = @_;

    return if $self->{pid};

    my $listen = IO::Socket::INET->new(
        Listen => 64, LocalAddr => $self->{ip}, LocalPort => $self->{port},
        ReuseAddr => 1) or die "cannot listen on $self->{name}: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid) {
        $self->{pid} = $pid;
        return;
    }

    $SIG{TERM} = sub { POSIX::_exit(0) };
    $SIG{CHLD} = 'IGNORE';

    while (1) {
        my $conn = $listen->accept or next;
        my $child = fork;

        if (defined $child && $child == 0) {
            $SIG{PIPE} = 'IGNORE';
            eval { $self->serve($conn) };
            POSIX::_exit(0);
        }

        close $conn;
    }
}

sub down {
    my ($self) = @_;

    end_process(delete $self->{pid}, 'TERM', 3) if $self->{pid};
}

sub serve {
    my ($self, $conn) = @_;
    my $head = '';

    until ($head =~ /\r\n\r\n/) {
        sysread $conn, $head, 65536, length $head or return;
    }

    my ($lines, $body) = split /\r\n\r\n/, $head, 2;
    my ($line, @fields) = split /\r\n/, $lines;
    my ($method, $target) = split ' ', $line;
    my %headers = map { my ($k, $v) = split /:\s*/, $_, 2; (lc $k, $v) }
                  @fields;

    while (length $body < ($headers{'content-length'} // 0)) {
        sysread $conn, $body, 65536, length $body or last;
    }

    if (slurp("$self->{dir}/mode") eq 'hang') {
        # until the client closes
        sysread $conn, my $more, 1;
        return;
    }

    if ($method eq 'GET') {
        $self->answer($conn, '200 OK', $self->{signer}
                                       ? $self->{signer}->descriptor : '{}');
        return;
    }

    my $from = time;
    my $mode = slurp("$self->{dir}/mode");

    # decoding long bodies here would take longer than the client waits

    my @results = map { { id => $_, status => 'applied' } }
                  $body =~ /\{"id":"(evt-\w+)","room_id":/g;

    sleep 2 if $mode eq 'slow';
    sleep 0.01;

    if ($mode eq 'reject' && @results) {
        $results[0] = { id => $results[0]{id}, status => 'rejected',
                        code => 'SW_ROOM_FORBIDDEN', reason => "not\nhere" };
    }

    pop @results if $mode eq 'short';

    # a single write, so that several processes' lines don't mix

    my $record = $json->encode({ method => $method, target => $target,
                                 headers => \%headers, from => $from,
                                 to => time, mode => $mode,
                                 body => encode_base64($body, '') }) . "\n";

    open my $out, '>>:raw', "$self->{dir}/got" or die "got: $!\n";
    syswrite $out, $record;
    close $out;

    if ($mode =~ /\A\d+\z/) {
        $self->answer($conn, "$mode Error",
                      '{"error":{"code":"SW_INTERNAL","message":"no"}}');

    } elsif ($mode eq 'redirect') {
        $self->answer($conn, '302 Found', '',
                      "Location: http://$self->{name}/other\r\n");

    } elsif ($mode eq 'garbage') {
        $self->answer($conn, '200 OK', 'hello');

    } elsif ($mode eq 'cut') {
        print {$conn} "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{}";
        close $conn;

    } else {
        $self->answer($conn, '200 OK',
                      $json->encode({ data => { results => \@results } }));
    }
}

sub answer {
    my ($self, $conn, $status, $body, $more) = @_;

    print {$conn} "HTTP/1.1 $status\r\nContent-Type: application/json\r\n"
                  . 'Content-Length: ' . length($body) . "\r\n"
                  . ($more // '') . "Connection: close\r\n\r\n$body";
    close $conn;
}

# The recorded requests: method, target, headers, from, to, mode, body, events.
sub sent {
    my ($self) = @_;

    return map {
        my $r = RoomsTest::JSON::json_decode($_);

        $r->{body} = decode_base64($r->{body});
        $r->{events} = eval { RoomsTest::JSON::json_decode($r->{body})->{events} } || [];
        $r;
    } grep { /\n\z/ } split /^/, slurp("$self->{dir}/got");
}

sub events { return map { @{$_->{events}} } $_[0]->sent }

sub forget { unlink "$_[0]{dir}/got" }

sub DESTROY {
    my ($self) = @_;

    local ($?, $@);
    $self->down if $self->{owner} == $$;
}

1;
