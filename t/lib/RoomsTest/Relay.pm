package RoomsTest::Relay;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A store with faults: a relay in front of the suite's Redis.  It takes one
# command after another, and applies a rule to those that match:
#
#     my $port = relay();
#     rule(qr/^HGET .*:r:room-1/, 'error BUSY later', 2);      two of them
#     norule();
#
#     error TEXT      answers with that error, without asking Redis
#     lose-reply      asks Redis, and closes the connection without the answer
#     lose-request    closes the connection
#     keep            closes the connection; deliver() brings the request later
#     hang            never answers
#     hold            asks Redis only after release()
#     first COMMAND   runs that command first, then the matched one
#     drip BYTES MS   answers some bytes at a time, with pauses
#     lie NAME        asks Redis, and changes its answer: see %lies
#     note            changes nothing; noted() returns these commands
#
# A command is matched as its words with spaces between.  met() counts matches.
# rule($pattern, $action, $count, $skip) leaves the first $skip of them alone.

use strict;
use warnings;

use Exporter 'import';
use Fcntl qw(LOCK_EX);
use File::Temp ();
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep);

use RoomsTest::Fake qw(fake stop_fake);
use RoomsTest::Process qw(free_port);

our @EXPORT = qw(deliver lies met norule noted relay release rule stop_relay);

my $dir = File::Temp::tempdir('rooms-relay-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $fake;

sub write_file {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name.new" or die "$dir: $!\n";
    print $out $text;
    close $out;
    rename "$dir/$name.new", "$dir/$name" or die "$dir: $!\n";
}

sub read_file {
    open my $in, '<', "$dir/$_[0]" or return '';
    local $/;
    return scalar <$in>;
}

sub locked {
    my ($do) = @_;

    open my $lock, '>>', "$dir/lock" or die "$dir: $!\n";
    flock $lock, LOCK_EX;

    return $do->();
}

sub rule {
    my ($pattern, $action, $count, $skip) = @_;

    $count //= 1_000_000;
    $skip //= 0;

    locked(sub { unlink map { "$dir/$_" } 'noted', 'released';
                 write_file('met', 0);
                 write_file('rule', "$count\n$skip\n$action\n$pattern") });
}

sub norule { locked(sub { unlink "$dir/rule" }) }
sub release { write_file('released', '') }

# How many commands the last rule met.
sub met { return 0 + (read_file('met') || 0) }

# Their first words.
sub noted { return split /\n/, read_file('noted') }

# The action for a command, or undef.
sub take {
    my ($command) = @_;

    return if !-e "$dir/rule";

    return locked(sub {
        my ($count, $skip, $action, $pattern) = split /\n/,
                                                read_file('rule'), 4;

        return if !defined $pattern || $command !~ /$pattern/;

        write_file('met', met() + 1);
        write_file('noted', read_file('noted') . "$1\n")
            if $action eq 'note' && $command =~ /\A((?:\S+ ?){1,4})/;

        if ($skip-- > 0) {
            write_file('rule', "$count\n$skip\n$action\n$pattern");
            return;
        }

        if (--$count) {
            write_file('rule', "$count\n0\n$action\n$pattern");

        } else {
            unlink "$dir/rule";
        }

        return $action;
    });
}

# Takes one RESP2 value from the front of a buffer, reading more as needed.
sub value {
    my ($sock, $buf) = @_;
    my $more = sub { sysread($sock, $$buf, 65536, length $$buf) or die "end\n" };

    $more->() while index($$buf, "\r\n") < 0;

    my $end = index($$buf, "\r\n") + 2;
    my $raw = substr $$buf, 0, $end, '';
    my ($kind, $n) = $raw =~ /\A(.)(.*)\r\n\z/s;
    my @words;

    if ($kind eq '$' && $n >= 0) {
        $more->() while length $$buf < $n + 2;

        my $text = substr $$buf, 0, $n + 2, '';

        $raw .= $text;
        @words = substr $text, 0, $n;

    } elsif ($kind eq '*') {
        for (1 .. $n) {
            my ($part, @w) = value($sock, $buf);

            $raw .= $part;
            push @words, @w;
        }
    }

    return ($raw, @words);
}

# The elements of a reply that is an array, or undef.
sub elements {
    my ($raw) = @_;
    my @all;

    return if $raw !~ s/\A\*(\d+)\r\n//;

    push @all, (value(undef, \$raw))[0] for 1 .. $1;

    return \@all;
}

sub array { return '*' . @_ . "\r\n" . join '', @_ }
sub bulk { return '$' . length($_[0]) . "\r\n$_[0]\r\n" }

# Changes each array of a reply, or else each string.
sub bend {
    my ($raw, $array, $string) = @_;
    my $all = elements($raw);

    return $array->(map { bend($_, $array, $string) } @$all) if $all;

    return $string && $raw =~ /\A\$\d+\r\n(.*)\r\n\z/s ? $string->($1) : $raw;
}

# What a store says that isn't true.  Some are of no use to the caller, and
# some look like the answer.
my %lies = (
    nil => sub { "\$-1\r\n" },
    'no array' => sub { "*-1\r\n" },
    status => sub { "+OK\r\n" },
    text => sub { bulk("1\0 room-\xff~") },
    'an empty text' => sub { bulk('') },
    'a long text' => sub { bulk('join 0 1 ' x 30000) },
    'a list' => sub { array(map { bulk("word $_") } 1 .. 3000) },
    'a list of words' => sub { array(map { bulk($_) } ('~', ' ') x 40) },
    'an empty list' => sub { array() },
    lists => sub { array((array(bulk('a'), array()), ":1\r\n", "\$-1\r\n") x 3) },
    'nested lists' => sub { "*1\r\n" x 7 . "*0\r\n" },
    'too many lists' => sub { "*1\r\n" x 50 . "*0\r\n" },
    'too many elements' => sub { "*2000000\r\n" . ":1\r\n" x 10 },
    'a map' => sub { "%1\r\n:1\r\n:2\r\n" },
    (map { my $n = $_; ("$n" => sub { ":$n\r\n" }) }
         qw(0 1 -1 -16 9223372036854775807 -9223372036854775808)),
    more => sub { bend($_[0], sub { array(@_, @_) }, sub { bulk("$_[0]$_[0]") }) },
    'much more' => sub { bend($_[0], sub { array((@_) x 40) }) },
    less => sub { bend($_[0], sub { array(@_[0 .. $#_ - 1]) },
                       sub { bulk(substr $_[0], 0, length($_[0]) / 2) }) },
    'the other way round' => sub { bend($_[0], sub { array(reverse @_) },
                                        sub { bulk(scalar reverse $_[0]) }) },
    nils => sub { bend($_[0], sub { array(@_) }, sub { "\$-1\r\n" }) },
    numbers => sub { bend($_[0], sub { array(@_) }, sub { ":-7\r\n" }) },
    'large numbers' => sub { bend($_[0], sub { array(@_) },
                                  sub { ":9223372036854775807\r\n" }) },
    'empty texts' => sub { bend($_[0], sub { array(@_) }, sub { bulk('') }) },
);

sub lies { return sort keys %lies }

sub put {
    my ($sock, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite($sock, $bytes) // die "end\n";

        substr $bytes, 0, $n, '';
    }
}

sub serve {
    my ($client) = @_;
    my $store = IO::Socket::INET->new($ENV{TEST_NGINX_REDIS}) or return;
    my ($in, $out) = ('', '');

    local $SIG{PIPE} = 'IGNORE';

    # many small replies don't wait for one another
    setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1 for $client, $store;

    while (1) {
        my ($raw, @words) = value($client, \$in);
        my $action = take("@words") // '';

        if ($action =~ /^error (.*)/s) {
            put($client, "-$1\r\n");
            next;
        }

        write_file('kept', $raw) if $action eq 'keep';
        return if $action eq 'lose-request' || $action eq 'keep';

        if ($action eq 'hang') {
            1 while sysread $client, $in, 65536;
            return;
        }

        if ($action eq 'hold') {
            sleep 0.002 while !-e "$dir/released";
        }

        if ($action =~ /^first (.*)/) {
            my @first = split ' ', $1;

            put($store, join '', '*' . @first . "\r\n",
                        map { '$' . length($_) . "\r\n$_\r\n" } @first);
            value($store, \$out);
        }

        put($store, $raw);

        my ($reply) = value($store, \$out);

        return if $action eq 'lose-reply';

        if ($action =~ /^drip (\d+) (\d+)/) {
            while (length $reply) {
                put($client, substr $reply, 0, $1, '');
                sleep $2 / 1000;
            }
        }

        $reply = $lies{$1}->($reply) if $action =~ /^lie (.*)/;

        put($client, $reply);
    }
}

# Brings Redis the request that was kept, and returns the bytes of its answer.
sub deliver {
    my $store = IO::Socket::INET->new($ENV{TEST_NGINX_REDIS})
        or die "redis: $!\n";
    my $in = '';

    put($store, read_file('kept'));

    return (value($store, \$in))[0];
}

# Starts it, and returns its port.
sub relay {
    my $port = free_port();

    $fake = fake($port, sub { eval { serve(@_) }; die $@ if $@ && $@ !~ /^end/ });

    return $port;
}

sub stop_relay { stop_fake($fake) }

1;
