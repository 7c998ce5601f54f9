# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/import, many of them at the same moment: under one key, into a
# tenant that is nearly full, and bundles that are broken at any byte.  What
# comes out of one is in t/23-import.t.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle form manifest medium state);
use RoomsTest::Process qw(wait_for);

my $media = File::Temp->newdir('rooms-media-XXXXXXXX', TMPDIR => 1);

run_nginx(<<"CONF");
    rooms on;
    rooms_auth mock;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_media_path $media;
CONF

# So many imports at once; each is a file and more headers.
sub imports {
    my ($at_once, $query, @files) = @_;

    return @{ http_many([map {
        my ($file, %headers) = @$_;
        my ($body, $type) = form($file);

        ['POST', "/v1/rooms/import$query", 'mock:ina@t', $body,
         'Content-Type' => $type, %headers];
    } @files], $at_once) };
}

# What refused imports had written is removed while their answers are on their
# way.
sub left {
    my ($before) = @_;

    wait_for(10, sub { state("$media") eq $before });
    is(state("$media"), $before, 'nothing is left');
}

is(http_req('POST', '/v1/auth/register', 'mock:ina@t')->[0], 200,
   'the importer');

my ($medium, $entry) = medium('some content', 'a.txt');
my $bundle = bundle(manifest(media => [$medium]), $entry);
my $n = length $bundle;


# Eight with one key

my @eight = imports(8, '', ([bundle(manifest()), 'Idempotency-Key' => 'k'])
                           x 8);
my %ids = map { $_->[2] =~ /"id":"(room-\w+)"/ ? ($1 => 1) : () } @eight;

is(scalar keys %ids, 1, 'eight at once make one room');
is(scalar(grep { $_->[0] != 201 && $_->[0] != 409 } @eight), 0,
   'the others wait or see it');


# Cut, or with a bit that is another one, anywhere

my $before = state("$media");
my @cut = map { [substr $bundle, 0, $_] }
          0 .. 60, map({ $n - $_ } 1 .. 80), map { int $n * $_ / 50 } 1 .. 49;

is(scalar(grep { $_->[0] != 400 || $_->[2] !~ /SW_BUNDLE_INVALID/ }
          imports(8, '', @cut)), 0, 'cut anywhere, it is refused');
left($before);

my @flipped = map {
    my $file = $bundle;

    substr($file, $_, 1) ^= chr(1 << $_ % 8);
    [$file];
} 0 .. $n - 1;

is(scalar(grep { $_->[0] != 200 || $_->[2] !~ /"valid":/ }
          imports(16, '?dry_run=true', @flipped)), 0,
   'each of those with a wrong bit has its report');
left($before);


# Six, and place for two

redis('HSET', 'sw:{t}:tenant', 'max_rooms',
      redis('HGET', 'sw:{t}:tenant', 'rooms') + 2);

my @six = imports(6, '', ([$bundle]) x 6);

is(scalar(grep { $_->[0] == 201 } @six), 2, 'two of six fit');
is(scalar(grep { $_->[0] == 409 && $_->[2] =~ /SW_TENANT_CAPACITY/ } @six), 4,
   'the others are told');
ok(wait_for(10, sub {
    !redis('EXISTS', 'sw:{t}:imports')
        && !grep { redis('TTL', $_) > 0 } @{ redis('KEYS', '*:events') };
}), 'and leave nothing');

unlike(nginx_log(), qr/\[(?:alert|crit|emerg|error)\]/, 'the log is quiet');

done_testing();
