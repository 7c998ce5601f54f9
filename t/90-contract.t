# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Who may do what in a room: each kind of room in each state, each relation of
# a caller to it, each operation with each target.  The expectation comes from
# the rules as docs/api.md has them, written down here once more.
#
# What has to be refused, or changes nothing, must leave the store as it was.
# What is done is one event and changes the memberships that it should, and
# then the store is put back.

use strict;
use warnings;

use File::Temp ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(:DEFAULT answer);

my $dir = File::Temp->newdir('rooms-contract-XXXXXXXX', TMPDIR => 1);

open my $key, '>', "$dir/key" or die $!;
print $key encode_base64('k' x 32, '');
close $key;
chmod 0600, "$dir/key";

my $federation = <<"END";
        rooms_tenant acme;
        rooms_federation on;
        rooms_federation_key $dir/key;
        rooms_url_secret_file $dir/key;
        location = /_rooms_peer { internal; return 502; }
END

start($federation);

# The callers.  Those with "!" are administrators of the tenant.
my @people = qw(own peer mod low inv ban gone new last
                adm! lowadm! invadm! banadm! goneadm!);

known(@people);

my $spare = must('POST', '/v1/workspaces', 'own',
                 { name => 'W' })->{id};

must('POST', "/v1/workspaces/$spare/members", 'own',
     { participant_id => $_, role => 'editor' }) for qw(peer mod low lowadm);

# The kinds of rooms.  A tenant's other half made "sidekick" and "bridge".
my %kinds = (
    group     => { room_type => 'group', name => 'G' },
    open      => { room_type => 'group', name => 'O', is_public => \1 },
    public    => { room_type => 'public', name => 'P' },
    incognito => { room_type => 'incognito' },
    lasting   => { room_type => 'incognito', close_on_leave => \0 },
    scoped    => { room_type => 'group', name => 'S',
                   scope_kind => 'incognito' },
    dm        => undef,
    sidekick  => { room_type => 'group', name => 'K' },
    bridge    => { room_type => 'group', name => 'B' },
    federated => { room_type => 'group', name => 'F' },
    solo      => { room_type => 'group', name => 'One at 100' },
);
my @states = qw(open archived closed empty);
my @rooms;

sub secret { return $_[0]{kind} =~ /^(?:incognito|lasting|scoped)$/ }

# One room: members, a message of two of them, then its state.
sub room_of {
    my ($kind, $state) = @_;
    my %room = (kind => $kind, state => $state, made => 'own');

    if ($kind eq 'dm') {
        # a pair has one; so each state has a pair of its own
        my ($a, $b) = map { "$_$state" } qw(one two);

        known($a, $b);
        $room{made} = $a;
        $room{id} = make(dm => $a, with => $b);
        $room{is} = { $a => ['join', 100], $b => ['join', 100] };

    } else {
        $room{id} = must('POST', '/v1/rooms', 'own', $kinds{$kind})->{id};
        $room{is} = { own => ['join', 100], inv => ['invite', 0],
                      ban => ['ban', 0], banadm => ['ban', 0],
                      invadm => ['invite', 0] };

        my @joined = $state eq 'empty' ? qw(gone last)
                     : (qw(mod=50 low goneadm gone lowadm),
                        $kind eq 'solo' ? () : 'peer=100');

        admit($room{id}, 'own', @joined);

        must('POST', "/v1/rooms/$room{id}/invite", 'own',
             { participant_id => $_ }) for qw(inv invadm);
        must('POST', "/v1/rooms/$room{id}/ban", 'own',
             { participant_id => $_ }) for qw(ban banadm);

        for (@joined) {
            my ($who, $power) = split /=/;

            $room{is}{$who} = ['join', $power // 0];
        }
    }

    for my $who ($room{made}, $kind eq 'dm' ? () : 'low', 'gone') {
        next if !$room{is}{$who};

        $room{event}{$who} = must('POST', "/v1/rooms/$room{id}/send", $who,
                                  { content => { body => 'hello' } })->{id};
    }

    my $leave = sub {
        must('POST', "/v1/rooms/$room{id}/leave", $_[0]);
        delete $room{is}{$_[0]};
    };

    $leave->($_) for grep { $room{is}{$_} } qw(gone goneadm);

    if ($kind eq 'federated') {
        must('PUT', "/v1/admin/rooms/$room{id}/federate", 'adm!',
             { enabled => true });

    } elsif ($kind =~ /^(?:sidekick|bridge)$/) {
        my $row = redis('HGET', key("r:$room{id}"), 'meta');

        redis('HSET', key("r:$room{id}"), 'meta', $row =~ s/^\w+/$kind/r);
    }

    if ($state eq 'empty') {
        $leave->($_) for qw(own last);

    } elsif ($state ne 'open') {
        must('POST', "/v1/rooms/$room{id}/"
                     . ($state eq 'closed' ? 'close' : 'archive'),
             $room{made});
    }

    $room{events} = redis('ZCARD', key("r:$room{id}:events"));

    return \%room;
}

for my $kind (sort keys %kinds) {
    for my $state (@states) {
        # who creates an incognito room, or is in a DM, leaves none empty
        next if $state eq 'empty'
                && $kind =~ /^(?:incognito|scoped|dm|sidekick|bridge)$/;

        push @rooms, room_of($kind, $state);
    }
}

# The operations.  "who": what the caller must be; "change": whether a frozen
# room refuses it; "power"; "not": the kinds that refuse it.
my $moderated = qr/^dm$/;
my $no_peers = qr/^(?:dm|incognito|lasting|scoped|sidekick|bridge)$/;

sub operations {
    my ($room) = @_;
    my $path = "/v1/rooms/$room->{id}";
    my $admin = "/v1/admin/rooms/$room->{id}";
    my ($some) = map { $room->{event}{$_} } $room->{made};
    my @all;
    my $op = sub {
        my ($name, $method, $at, $body, %rule) = @_;

        push @all, { name => $name, method => $method, path => $at,
                     body => $body, who => 'joined', change => 1, power => 0,
                     %rule };
    };

    $op->(see => 'GET', $path, undef, who => 'sees', change => 0);
    $op->(see => 'HEAD', $path, undef, who => 'sees', change => 0);
    $op->(read => 'GET', "$path/$_", undef, change => 0)
        for qw(members messages state), "events/$some";
    $op->(bans => 'GET', "$path/members?membership=ban", undef,
          change => 0, power => 50);
    $op->(export => 'GET', "$path/export", undef, change => 0);
    $op->(export => 'POST', "$path/export/link", {}, change => 0,
          status => 200);
    $op->(join => 'POST', "$path/join", undef, who => 'guest');
    $op->(leave => 'POST', "$path/leave", undef, who => 'member',
          change => 0, not => $moderated);
    $op->(close => 'POST', "$path/close", undef, change => 0, power => 100);
    $op->(archive => 'POST', "$path/archive", undef, power => 50);
    $op->(rejoin => 'POST', "$path/rejoin", undef, who => 'heir',
          power => 50);

    # a room that refuses them all refuses them for each target
    my @targets = $room->{kind} eq 'dm' ? (qw(one two), 'new')
                  : $room->{state} ne 'open' ? qw(low nobody)
                  : $room->{kind} =~ /^(?:group|public|incognito|solo)$/
                  ? qw(own peer mod low inv ban gone new nobody)
                  : qw(own low new);

    for my $whom (@targets) {
        my %rule = (target => $whom, not => $moderated);
        my $body = { participant_id => $whom };

        $op->(invite => 'POST', "$path/invite", $body, %rule);
        $op->($_ => 'POST', "$path/$_", $body, %rule, power => 50)
            for qw(kick ban unban);
        $op->(power => 'PUT', "$path/members/$whom/power-level",
              { power_level => $_ }, %rule, who => 'admin', power => 50,
              value => $_) for 0, 50, 60, 100;
    }

    $op->(rename => 'PUT', "$path/name", { name => 'Other' }, power => 50,
          not => $moderated);
    $op->(topic => 'PUT', "$path/topic", { topic => 'x' }, power => 50);
    $op->(move => 'PUT', "$path/workspace", { workspace_id => $spare },
          power => 50, not => $moderated);
    $op->(nowhere => 'PUT', "$path/workspace",
          { workspace_id => 'ws-0' . '0' x 25 }, power => 50,
          not => $moderated);
    $op->(settings => 'PUT', "$path/notification-mode",
          { notification_mode => 'none' }, change => 0, events => 0);
    $op->(settings => 'PUT', "$path/mute", { muted => true }, change => 0,
          events => 0);
    $op->(settings => 'PUT', "$path/read", { event_id => $some }, change => 0,
          events => 0);
    $op->(read_none => 'PUT', "$path/read",
          { event_id => 'evt-' . '0' x 29 }, change => 0);
    $op->(send => 'POST', "$path/send", { content => {} }, status => 201);

    for my $by (sort keys %{$room->{event}}) {
        my $at = "$path/events/$room->{event}{$by}";

        $op->(edit => 'POST', "$at/edit", { content => {} }, by => $by);
        $op->(redact => 'POST', "$at/redact", {}, by => $by);
        $op->(react => 'POST', "$at/reaction", { emoji => 'x' });
        $op->(unreact => 'DELETE', "$at/reaction", { emoji => 'x' });
    }

    $op->(no_event => 'POST', "$path/events/evt-" . '0' x 29 . "/$_",
          { content => {}, emoji => 'x' }) for qw(edit redact reaction);

    my %admin = (who => 'admin', admin => 1, not => $no_peers);

    $op->(federate => 'PUT', "$admin/federate", { enabled => \$_ }, %admin,
          value => $_) for 0, 1;
    $op->(fedinvite => 'POST', "$admin/federation/invite",
          { fqid => '@x:b.example' }, %admin);
    $op->(backfill => 'POST', "$admin/federation/backfill", {}, %admin);
    $op->(fedinvite => 'POST', "$path/invitations",
          { fqid => '@x:b.example' }, not => $no_peers);

    return @all;
}

# What has to come out: [status, code, number of events, memberships that
# change, state if it changes].
sub verdict {
    my ($room, $who, $op) = @_;
    my ($name, $admin) = $who =~ /^(\w+?)(!?)$/;
    my ($is, $power) = @{$room->{is}{$name} // ['', 0]};
    my ($kind, $state) = @$room{qw(kind state)};
    my $empty = $state eq 'empty';
    my $public = $kind =~ /^(?:open|public)$/;
    my $heir = $empty && ($admin && $is ne 'ban' || $name eq 'last');
    my $noop = [200, '', 0];

    return [403, 'SW_AUTH_INSUFFICIENT_PERMISSION']
        if $op->{admin} && !$admin;

    my $as_admin = $op->{who} eq 'admin' && $admin;

    return [404, 'SW_ROOM_NOT_FOUND']
        if $is !~ /^(?:join|invite)$/ && !($public && $state eq 'open')
           && !$heir && !$as_admin;

    my $may = $is eq 'join' || $as_admin || $op->{who} eq 'sees'
              || $op->{who} eq 'member' && $is eq 'invite'
              || $op->{who} eq 'heir' && $heir
              || $op->{who} eq 'guest' && $is ne 'ban'
                 && ($is eq 'invite' || $public || secret($room));

    return [403, 'SW_ROOM_FORBIDDEN'] if !$may;

    return [400, 'SW_ROOM_TYPE_INVARIANT']
        if $op->{not} && $kind =~ $op->{not}
           || $op->{name} eq 'join'
              && ($kind eq 'dm' || secret($room) && $is eq '')
           || $op->{name} =~ /^(?:fedinvite|backfill)$/
              && $kind ne 'federated';

    return [400, 'SW_ROOM_EXPORT_REFUSED']
        if $op->{name} eq 'export'
           && (secret($room) || $kind =~ /^(?:sidekick|bridge|federated)$/);

    if ($state ne 'open' && $op->{change}) {
        return [409, 'SW_ROOM_FROZEN']
            if $state eq 'closed' || $op->{name} !~ /^(?:archive|rejoin)$/;
    }

    my $enough = $power >= $op->{power} || $as_admin
                 || $op->{name} eq 'close' && $name eq $room->{made}
                 || $op->{name} =~ /^(?:archive|rejoin)$/ && $kind eq 'dm'
                 || $op->{name} eq 'rejoin' && $heir;

    return [403, 'SW_ROOM_FORBIDDEN'] if !$enough;

    return target($room, $name, $is, $power, $admin, $op) if $op->{target};

    my %ends = (archive => 'archived', rejoin => 'open', close => 'closed');

    if (my $end = $ends{$op->{name}}) {
        return $noop if $state eq $end;
        return [200, '', 1, $is eq 'join' ? {} : { $name => 'join 100' },
                $end];
    }

    return $noop if $op->{method} =~ /GET|HEAD/ || $op->{name} eq 'export';
    return $is eq 'join' ? $noop : [200, '', 1, { $name => 'join 0' }]
        if $op->{name} eq 'join';
    return left($room, $name, $is, $power) if $op->{name} eq 'leave';
    return [404, 'SW_WORKSPACE_NOT_FOUND'] if $op->{name} eq 'nowhere';
    return [404, 'SW_EVENT_NOT_FOUND']
        if $op->{name} =~ /^(?:read_none|no_event)$/;
    return [403, 'SW_ROOM_FORBIDDEN']
        if $op->{name} eq 'edit' && $op->{by} ne $name;
    return [403, 'SW_REDACT_FORBIDDEN']
        if $op->{name} eq 'redact' && $op->{by} ne $name && $power < 50;
    return $noop if $op->{name} eq 'unreact'
                    || $op->{name} eq 'federate'
                       && $op->{value} == ($kind eq 'federated');
    return [403, 'SW_FED_POLICY'] if $op->{name} eq 'backfill';
    return [200, '', 1, { '@x:b.example' => 'invite 0' }]
        if $op->{name} eq 'fedinvite';

    return [$op->{status} // 200, '', $op->{events} // 1];
}

# Somebody leaves: a successor, or the end of an incognito room.
sub left {
    my ($room, $name, $is, $power) = @_;

    return [200, '', 1, { $name => '' }] if $is eq 'invite';
    return [200, '', 'wiped', { $name => '' }, 'closed']
        if $room->{kind} =~ /^(?:incognito|scoped)$/
           && $name eq $room->{made};

    return [200, '', 1, { $name => '', mod => 'join 100' }]
        if $room->{kind} eq 'solo' && $power == 100;
    return [200, '', 1, { $name => '' }];
}

# Those that name a participant.
sub target {
    my ($room, $name, $is, $power, $admin, $op) = @_;
    my $whom = $op->{target};
    my ($its, $has) = @{$room->{is}{$whom} // ['', 0]};
    my $unknown = [404, 'SW_PARTICIPANT_NOT_FOUND'];
    my $refused = [403, 'SW_ROOM_FORBIDDEN'];
    my $noop = [200, '', 0];

    if ($op->{name} eq 'power') {
        return $refused if !$admin && $op->{value} > $power;
        return $unknown if $its ne 'join';
        return $refused if !$admin && $whom ne $name && $has >= $power;
        return $noop if $has == $op->{value};
        return [409, 'SW_ROOM_LAST_ADMIN']
            if $room->{kind} eq 'solo' && $has == 100;
        return [200, '', 1, { $whom => "join $op->{value}" }];
    }

    return $unknown if $whom eq 'nobody'
                       || $op->{name} eq 'kick' && $its !~ /join|invite/;

    if ($op->{name} eq 'invite') {
        return $refused if $its eq 'ban';
        return $its eq '' ? [200, '', 1, { $whom => 'invite 0' }] : $noop;
    }

    if ($op->{name} eq 'unban') {
        return $its eq 'ban' ? [200, '', 1, { $whom => '' }] : $noop;
    }

    return $refused if $has >= $power;
    return $noop if $op->{name} eq 'ban' && $its eq 'ban';
    return [200, '', 1, { $whom => $op->{name} eq 'ban' ? 'ban 0' : '' }];
}

# The store as it is, kept in another database, and put back.  What a key holds
# is compared in an order of our own, since that of a hash is the store's.
my $text = <<'END';
local function text(key)
    local kind, all = redis.call('TYPE', key).ok
    if kind == 'string' then return redis.call('GET', key) end
    if kind == 'zset' then
        all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    else
        local rows = redis.call('HGETALL', key)
        all = {}
        for i = 1, #rows, 2 do all[#all + 1] = rows[i] .. '\0' .. rows[i + 1] end
        table.sort(all)
    end
    return redis.sha1hex(table.concat(all, '\0'))
end
END

my $keep = $text . <<'END';
local rows = {}
for _, key in ipairs(redis.call('KEYS', 'sw:{acme}:*')) do
    rows[#rows + 1] = { key, redis.call('DUMP', key), text(key) }
end
redis.call('SELECT', 1)
for _, row in ipairs(rows) do
    redis.call('HSET', 'dumps', row[1], row[2])
    redis.call('HSET', 'texts', row[1], row[3])
end
redis.call('SELECT', 0)
END

my $restore = <<'END';
redis.call('SELECT', 1)
local dumps = redis.call('HGETALL', 'dumps')
redis.call('SELECT', 0)
for _, key in ipairs(redis.call('KEYS', 'sw:{acme}:*')) do
    redis.call('DEL', key)
end
for i = 1, #dumps, 2 do redis.call('RESTORE', dumps[i], 0, dumps[i + 1]) end
END

# Commits are remembered for a while, also those that change nothing.
# What is tried again in the background (the other server never answers) is no
# change by a request.
my $differs = $text . <<'END';
local function background(key)
    return string.find(key, ':commit:') or string.find(key, ':outboxes')
           or string.find(key, ':peers:names') or string.find(key, ':lease:')
           or string.find(key, ':peers:errors')
end
redis.call('SELECT', 1)
local texts, were, found = redis.call('HGETALL', 'texts'), {}, {}
redis.call('SELECT', 0)
for i = 1, #texts, 2 do were[texts[i]] = texts[i + 1] end
for _, key in ipairs(redis.call('KEYS', 'sw:{acme}:*')) do
    if not background(key) and were[key] ~= text(key) then
        found[#found + 1] = key
    end
    were[key] = nil
end
for key in pairs(were) do
    if not background(key) then found[#found + 1] = key end
end
return found
END

sub store {
    my ($script) = @_;

    return redis('EVAL', $script, 0);
}

sub request_of {
    my ($who, $op) = @_;

    return [$op->{method}, $op->{path}, token($who), $op->{body}];
}

sub label {
    my ($room, $who, $op) = @_;

    return "$room->{state} $room->{kind}: $who $op->{name}"
           . ($op->{target} ? " $op->{target}" : '')
           . (defined $op->{value} ? " $op->{value}" : '')
           . " ($op->{method} " . ($op->{path} =~ s/.*room-\w+//r) . ')';
}

# What is wrong with an answer.
sub faults {
    my ($want, $op, $raw) = @_;
    my ($status, $code) = @$want;
    my $res = answer($raw);
    my @bad;

    push @bad, "status $res->{status} $res->{code}, not $status $code"
        if $res->{status} != $status
           || $op->{method} ne 'HEAD' && $res->{code} ne $code;

    return @bad;
}

store($keep);

# Under valgrind, one cell of twenty is enough to find what leaks.
my $every = $ENV{TEST_NGINX_USE_VALGRIND} ? 20 : 1;
my ($cells, $changes, $number) = (0, 0, 0);

for my $room (@rooms) {
    my (@still, @done, @bad);
    my @who = $room->{kind} eq 'dm'
              ? (sort(keys %{$room->{is}}), 'new', 'adm!') : @people;

    for my $op (operations($room)) {
        if ($room->{kind} eq 'dm' && ($op->{target} // '') =~ /^(?:one|two)$/) {
            my $whom = "$op->{target}$room->{state}";

            $op->{path} =~ s/$op->{target}/$whom/;
            $op->{body} = { %{$op->{body}}, participant_id => $whom };
        }

        for my $who (@who) {
            my $want = verdict($room, $who, $op);

            next if $number++ % $every;

            my $still = $want->[0] >= 400 || $want->[2] eq '0'
                        && $op->{name} ne 'settings';

            push @{$still ? \@still : \@done}, [$who, $op, $want];
        }
    }

    $cells += @still + @done;
    $changes += @done;

    # what changes nothing
    my $res = http_many([map { request_of(@$_) } @still], 40, 60);

    for my $i (0 .. $#still) {
        my ($who, $op, $want) = @{$still[$i]};

        push @bad, label($room, $who, $op) . ": $_"
            for faults($want, $op, $res->[$i]);
    }

    my @differs = @{store($differs)};

    push @bad, "changed: @differs" if @differs;

    # what changes something
    for my $cell (@done) {
        my ($who, $op, $want) = @$cell;
        my ($raw) = @{http_many([request_of($who, $op)])};
        my @wrong = faults($want, $op, $raw);

        push @wrong, outcome($room, $want) if !@wrong;
        push @bad, label($room, $who, $op) . ": $_" for @wrong;
        store($restore);
    }

    ok(!@bad, "$room->{kind}, $room->{state}: " . @still . ' without and '
              . @done . ' with a change') or diag join "\n", @bad;
}

# The state, the events and the memberships of a room after a change.
sub outcome {
    my ($room, $want) = @_;
    my (undef, undef, $events, $effects, $state) = @$want;
    my %is = %{$room->{is}};
    my %now = who_is($room->{id});
    my @bad;
    my $grown = redis('ZCARD', key("r:$room->{id}:events")) - $room->{events};

    push @bad, "$grown events, not $events"
        if $events eq 'wiped' ? $grown >= 0 : $grown != $events;

    my $is_now = redis('HGET', key("r:$room->{id}"), 'state');

    $state //= $room->{state} eq 'empty' ? 'archived' : $room->{state};
    push @bad, "it is $is_now, not $state" if $is_now ne $state;

    for my $who (keys %$effects) {
        $is{$who} = [split ' ', $effects->{$who}];
    }

    for my $who (keys %is, keys %now) {
        my ($got, $must) = map { @{$_ // []} && $_->[0] ne 'leave'
                                 ? "@$_" : '' } $now{$who}, $is{$who};

        push @bad, "$who is '$got', not '$must'" if $got ne $must;
    }

    return @bad;
}

cmp_ok($number, '>', 25_000, "cells: $cells, with a change $changes");

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
