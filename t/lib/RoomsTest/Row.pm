package RoomsTest::Row;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Stored events (src/rooms/rooms_stored.h): converts rows to the API's form and
# back.

use strict;
use warnings;
no warnings 'portable';      # positions have more than 32 bits

use Exporter 'import';
use JSON::PP ();
use POSIX ();
use Time::Local ();

our @EXPORT = qw(event_row row_event message_name);

my $json = JSON::PP->new->utf8->canonical;
my @options = (e => 'edited_at', r => 'redacted_at', t => 'origin_ts',
               i => 'origin_id', s => 'origin_server', x => 'do_not_index');

sub stamp {
    my ($ms) = @_;

    return POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime int $ms / 1000)
           . sprintf '.%03dZ', $ms % 1000;
}

sub ms {
    my ($y, $m, $d, $h, $min, $s, $ms)
        = $_[0] =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d+)Z$/;

    return 1000 * Time::Local::timegm($s, $min, $h, $d, $m - 1, $y) + $ms;
}

# Parses an event's row; undef: invalid.
sub row_event {
    my ($row, $room) = @_;
    my ($digits, $type, $sender, $created, $rest)
        = $row =~ /^([0-9a-f]{29}) (\S+) (\S+) (\d+) (.*)$/s or return undef;
    my %is = @options;
    my %e = (id => "evt-$digits", room_id => $room, sender_id => $sender,
             stream_position => hex substr($digits, 0, 13),
             event_type => "swp.room.$type", created_at => stamp($created),
             edited_at => undef, redacted_at => undef,
             origin_ts => int $created / 1000);

    $rest =~ s/^n\d+ //;      # the number of messages, which nobody is shown

    while ($rest =~ s/^([ertisx])(\S*) //) {
        my ($letter, $value) = ($1, $2);

        $e{$is{$letter}} = $letter eq 'x' ? JSON::PP::true
                           : $letter eq 't' ? 0 + $value
                           : $letter =~ /[er]/ ? stamp($value) : $value;
    }

    my ($content, $original) = split /\n/, $rest, 2;

    $e{content} = eval { $json->decode($content) } or return undef;
    $e{original_content} = $json->decode($original) if defined $original;

    return \%e;
}

sub event_row {
    my ($e) = @_;
    my @words = (substr($e->{id}, 4), $e->{event_type} =~ s/^swp\.room\.//r,
                 $e->{sender_id}, ms($e->{created_at}));

    push @words, 'e' . ms($e->{edited_at}) if defined $e->{edited_at};
    push @words, 'r' . ms($e->{redacted_at}) if defined $e->{redacted_at};
    push @words, "t$e->{origin_ts}"
        if $e->{origin_ts} != int $words[3] / 1000;
    push @words, "i$e->{origin_id}" if defined $e->{origin_id};
    push @words, "s$e->{origin_server}" if defined $e->{origin_server};
    push @words, 'x' if $e->{do_not_index};

    return join ' ', @words, join "\n", map { $json->encode($_) }
           grep { defined } $e->{content}, $e->{original_content};
}

# A message's member in `redacted`.
sub message_name { return substr $_[0], 4, 13 }

1;
