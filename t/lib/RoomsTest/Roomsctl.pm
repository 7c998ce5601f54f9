package RoomsTest::Roomsctl;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs pkg/roomsctl/roomsctl on the suite's Redis, or on the store that
# ROOMS_REDIS names: roomsctl(@arguments) returns what it prints, on both
# streams, and roomsctl_status() its exit status.

use strict;
use warnings;

use Exporter 'import';

use RoomsTest::Process qw(find_program);
use RoomsTest::Redis ();

our @EXPORT = qw(roomsctl roomsctl_missing roomsctl_status);

my $status;

# What it needs and isn't installed; "": nothing is missing.
sub roomsctl_missing {
    return join ' ', grep { !find_program($_) } qw(bash curl redis-cli);
}

sub roomsctl {
    local $ENV{ROOMS_REDIS} = $ENV{ROOMS_REDIS}
                              // 'redis://127.0.0.1:'
                                 . RoomsTest::Redis::redis_port() . '/0';
    local $/;

    open my $in, '-|', 'bash', '-c', 'exec "$0" "$@" 2>&1 </dev/null',
         'pkg/roomsctl/roomsctl', @_ or die "roomsctl: $!\n";

    my $text = <$in> // '';

    close $in;
    $status = $? >> 8;

    return $text;
}

sub roomsctl_status { return $status }

1;
