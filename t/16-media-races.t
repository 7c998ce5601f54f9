# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# One upload, with one Idempotency-Key, many times at the same moment.

use strict;
use warnings;

use File::Find qw(find);
use File::Temp ();
use Test::More;

use lib 't/lib';
use RoomsTest;

my $media = File::Temp->newdir('rooms-media-XXXXXXXX', TMPDIR => 1);
my $file = 'race' x 1000;
my $body = "--X\r\nContent-Disposition: form-data; name=\"file\";"
           . " filename=\"race\"\r\n\r\n$file\r\n--X--\r\n";

run_nginx(<<"END");
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_media_path $media;
END

my @same = (['POST', '/v1/media/upload', 'mock:ann@t1', $body,
             'Content-Type' => 'multipart/form-data; boundary=X',
             'Idempotency-Key' => 'k']) x 8;
my %seen;

for (@{http_many(\@same)}) {
    next if $_->[0] == 409;
    is($_->[0], 201, 'created or replayed');
    $seen{json_get($_->[2], 'data.media_id')}++;
}

is(scalar keys %seen, 1, 'eight at once make one');
is(redis('HLEN', 'sw:{t1}:media'), 1, 'medium');
stop_nginx();

my @files;

find({ no_chdir => 1, wanted => sub { push @files, $_ if -f } }, "$media");
is(scalar @files, 1, 'in one file, and no temporary one is left');

done_testing();
