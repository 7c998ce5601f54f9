# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The user of docs/operations.md is enough for everything: other suites run as
# that user, and the store has refused nothing.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Process qw(slurp);

plan skip_all => 'no redis-server' if !RoomsTest::Redis::binary();

my ($user, $rules) = slurp('docs/operations.md')
                     =~ /^ACL SETUSER (\S+) reset (.*)$/m;

ok(defined $rules, 'the line');

# nothing is allowed that the module doesn't ask for

my $source = join '', map { slurp($_) } glob('src/*/*.[ch] src/*/*.lua');

for my $command ($rules =~ /\+([a-z]+)/g) {
    ok($source =~ /["' ]\U$command\E["' ]/, "$command is used");
}

# with the runner that this suite has
my @runner = map { "-I$_" } grep { m{(?:^|/)t/runner/?$} } @INC;
my @suites = qw(06-dm 10-workspaces 14-edit 15-sync 25-round-trip
                30-register 46-fed-home);

for my $suite (@suites) {
    local %ENV = (%ENV, TEST_ROOMS_ACL => "$user $rules");

    delete @ENV{grep { /^TEST_NGINX_(?:REDIS|SERV|PORT)/ } keys %ENV};

    my $text = `$^X @runner t/$suite.t 2>&1 </dev/null`;

    is($?, 0, "$suite as that user")
        || diag(join '', grep { /not ok|refused|Fail/ } $text =~ /.*\n/g);
}

# and without a command that is needed, it is noticed

{
    local %ENV = (%ENV, TEST_ROOMS_ACL => "$user " . $rules =~ s/\+zdiff//r
                                          =~ s/\+hincrby//r);

    delete @ENV{grep { /^TEST_NGINX_(?:REDIS|SERV|PORT)/ } keys %ENV};

    my $text = `$^X @runner t/30-register.t 2>&1 </dev/null`;

    isnt($?, 0, 'a user who may too little');
}

done_testing();
