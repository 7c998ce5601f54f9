# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What becomes of the names that tokens bring: local ids that many want, and
# display names that change.  Two workers.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Token qw(hs256);

my $secret = 'a secret of thirty-two bytes, at least';

sub server {
    return <<"END";
        rooms on;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $ENV{PWD}/t/data/secret;
        rooms_server_name chat.example;
        $_[0]
END
}

run_nginx(server(''), workers => 2);

my $json = JSON::PP->new->utf8->canonical;
my $participants = 'sw:{acme}:participants';
my $locals = 'sw:{acme}:locals';

sub by { my ($sub, %claims) = @_; return hs256($secret, sub => $sub, %claims) }

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

# a long one leaves room for what is drawn

my $long = 'x' x 128;

is(register(by('long1', preferred_username => $long))->{local_id}, $long,
   'a local id of 128');
like(register(by('long2', preferred_username => $long))->{local_id},
     qr/^x{121}-[0-9a-z]{6}\z/, 'and the next of the same');

# a local id whose participant is gone, as an operator may leave it

redis('HDEL', $participants, 'long1');
nginx_reload_all();
is(register(by('long1', preferred_username => $long))->{local_id}, $long,
   'is that of who had it');

# who brings none

is(register(by('plain'))->{local_id}, 'plain', 'no preferred_username');
is(register(by('auth0|64f0'))->{local_id}, 'auth0-64f0', 'an odd id');
is(register(by('///'))->{local_id}, 'participant', 'one that leaves nothing');
like(register(by('|||'))->{local_id}, qr/^participant-[0-9a-z]{6}\z/,
     'and another');
is(register(by('thai', preferred_username => "\x{e01}\x{e02}"))->{local_id},
   'thai', 'a preferred_username of which nothing is left');
is(register(by('ann', preferred_username => 'ann@acme.example'))->{local_id},
   'ann@acme.example', 'an address');

# display names of those without a name

is(register(by('y' x 255))->{display_name}, 'y' x 128, 'a long id is cut');
is(register(by('zoe', preferred_username => 'zo e'))->{display_name}, 'zo-e',
   'the local id');


# A display name follows the token's, on any request

sub shown {
    my ($sub) = @_;

    return $json->decode(redis('HGET', $participants, $sub))->{display_name};
}

sub get { return http_req('GET', '/v1/workspaces', @_)->[0] }

my $now = time();

is(get(by('nia')), 200, 'who comes without a name');
is(shown('nia'), 'nia', 'is shown by the id');

my $made = $json->decode(redis('HGET', $participants, 'nia'));

is(get(by('nia', name => 'Nia B', iat => $now - 50)), 200, 'then with one');
is(shown('nia'), 'Nia B', 'and has it, though it is no register');
is(get(by('nia', name => 'Nia C', iat => $now - 40)), 200, 'another');
is(shown('nia'), 'Nia C', 'which is taken');
is(get(by('nia')), 200, 'without one again');
is(shown('nia'), 'Nia C', 'the name stays');
is(get(by('nia', name => 'Nia B', iat => $now - 50)), 200,
   'an older token, from another device');
is(shown('nia'), 'Nia C', 'doesn\'t bring the old name back');
is(register(by('nia', name => 'Nia B', iat => $now - 50))->{display_name},
   'Nia C', 'not on purpose either');
is(get(by('nia', name => 'Nia D')), 200, 'a token that doesn\'t say when');
is(shown('nia'), 'Nia D', 'is followed');
is(get(by('nia', name => "\t  \x07", iat => $now)), 200, 'a name of nothing');
is(shown('nia'), 'Nia D', 'is none');

my $after = $json->decode(redis('HGET', $participants, 'nia'));

is($after->{$_}, $made->{$_}, "$_ stays")
    for qw(created_at local_id workspace_id participant_type);

# many names at once: one of them, whole, and nobody is refused

$res = http_many([map { ['GET', '/v1/workspaces',
                         by('nia', name => "Nia $_")] } 1 .. 60], 60);
is(scalar(grep { $_->[0] == 200 } @$res), 60, '60 names at once');
like(shown('nia'), qr/^Nia \d+\z/, 'one is left');

# odd names

for my $case (['100 Thai letters', "\x{e01}" x 100, "\x{e01}" x 100],
              ['200 Thai letters', "\x{e01}" x 200, "\x{e01}" x 128],
              ['control characters', "a\tb\x{85}c\x{2028}d", 'abcd'],
              ['an object', { first => 'x' }, undef],
              ['a number', 7, undef], ['an array', [], undef])
{
    my ($what, $name, $want) = @$case;
    my $who = 'odd' . ++$now;

    is(register(by($who, name => $name))->{display_name}, $want // $who,
       "a name that is $what");
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();

# Forgets whom the workers have seen.
sub nginx_reload_all { run_nginx(server(''), workers => 2) }
