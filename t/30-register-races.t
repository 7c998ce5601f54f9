# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Many who want one local id, one after the other and at once; and one who
# comes with many names at once.  Two workers.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Token qw(hs256);

run_nginx(<<"END", workers => 2);
        rooms on;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $ENV{PWD}/t/data/secret;
        rooms_server_name chat.example;
END

my $json = JSON::PP->new->utf8->canonical;
my $participants = 'sw:{acme}:participants';
my $locals = 'sw:{acme}:locals';

sub by {
    return hs256('a secret of thirty-two bytes, at least', sub => @_);
}

sub answer {
    my ($res) = @_;
    my $data = $res->[0] == 200 ? $json->decode($res->[2])->{data} : undef;

    return $data // { participant_id => "status $res->[0] $res->[2]",
                      local_id => '', display_name => '' };
}

sub register { return answer(http_req('POST', '/v1/auth/register', @_)) }

# One test: everybody came in, with a local id of their own that begins as the
# name does, and the store says the same.
sub all_came {
    my ($name, $want, @who) = @_;
    my %local = map { $_->{local_id} => $_->{participant_id} } @who;
    my @bad = grep { !/^\Q$want\E(?:-[0-9a-z]{6})?\z/ } keys %local;
    my %stored = @{redis('HGETALL', $locals)};

    push @bad, map { "$_ is $stored{$_} in the store" }
               grep { ($stored{$_} // '') ne $local{$_} } keys %local;
    push @bad, scalar(keys %local) . ' local ids of ' . @who
        if keys %local != @who;
    push @bad, "nobody is $want" if !$local{$want};

    return ok(!@bad, $name) || diag join "\n", @bad[0 .. ($#bad > 9 ? 9 : $#bad)];
}


# 300 who come one after the other, as many as there ever may be

all_came('300 of one name, one after the other', 'sam',
         map { register(by("sam$_", preferred_username => 'sam')) } 1 .. 300);

is(register(by('sam1', preferred_username => 'sam'))->{local_id}, 'sam',
   'who had it first has it still');
is(register(by('sam299', preferred_username => 'sam'))->{local_id},
   $json->decode(redis('HGET', $participants, 'sam299'))->{local_id},
   'and who was given another has that');

# 100 at once

my $res = http_many([map { ['POST', '/v1/auth/register',
                            by("kim$_", preferred_username => 'kim')] }
                     1 .. 100], 100);

all_came('100 of one name, at once', 'kim', map { answer($_) } @$res);

# the same who comes 50 times at once is one

$res = http_many([map { ['POST', '/v1/auth/register',
                         by('lee', preferred_username => 'kim')] }
                  1 .. 50], 50);
my %lee = map { answer($_)->{local_id} => 1 } @$res;

is(scalar keys %lee, 1, 'who comes 50 times at once has one local id');
is(scalar(grep { $_ eq 'lee' } values %{{ @{redis('HGETALL', $locals)} }}), 1,
   'and the store one row');

# many names at once: one of them, whole, and nobody is refused

$res = http_many([map { ['GET', '/v1/workspaces',
                         by('nia', name => "Nia $_")] } 1 .. 60], 60);
is(scalar(grep { $_->[0] == 200 } @$res), 60, '60 names at once');
like($json->decode(redis('HGET', $participants, 'nia'))->{display_name},
     qr/^Nia \d+\z/, 'one is left');

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
