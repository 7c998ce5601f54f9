package RoomsTest::Calls;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Calls of the API for suites that follow a room through many of them:
#
#     start();                              nginx over the suite's Redis
#     my $res = call('POST', $path, $who, \%body, %headers);
#     expect('409 SW_ROOM_FROZEN', 'POST', $path, $who, ...);
#
# $who is a participant of the current tenant (ann), of another (ann@east), an
# administrator (ann!), or undef for no token.  The expectation has a status,
# an error's code, the field that its details name, and below them lines of
# assertions on the JSON (RoomsTest::JSON).

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use Test::More ();

use RoomsTest::HTTP ();
use RoomsTest::JSON ();
use RoomsTest::Nginx ();
use RoomsTest::Redis ();

our @EXPORT_OK = qw(answer);
our @EXPORT = qw(admit call event_count event_place events expect false host
                 ids key known make many member members must newest pages
                 redis_settings same_but_request_id start tenant token true
                 verify_room who_is);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $tenant = 'acme';
my $host = 'rooms.test';

# Redis with those settings of conf/redis.conf that aren't about files.
sub redis_settings {
    my $file = __FILE__ =~ s{[^/]+$}{../../../conf/redis.conf}r;

    open my $in, '<', $file or die "$file: $!\n";

    for (<$in>) {
        RoomsTest::Redis::redis('CONFIG', 'SET', $1, $2)
            if /^(maxmemory\S+|zset\S+|hash\S+) (\S+)/;
    }
}

sub true  { JSON::PP::true }
sub false { JSON::PP::false }
sub host  { $host }

sub tenant {
    $tenant = shift if @_;
    return $tenant;
}

# A key in the store, of the current tenant.
sub key { return "sw:{$tenant}:" . join '', @_ }

sub start {
    my ($snippet, %options) = @_;

    $snippet //= '';

    return RoomsTest::Nginx::run_nginx(<<"END", %options);
        rooms on;
        rooms_auth mock;
        rooms_server_name $host;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        $snippet
END
}

sub token {
    my ($who) = @_;

    return undef if !defined $who;

    my $admin = $who =~ s/!\z// ? ':admin' : '';

    $who .= "\@$tenant" if $who !~ /\@/;

    return "mock:$who$admin";
}

# Parses the result of http_req().  For an error: its code, its message, and
# the first of its details.
sub answer {
    my ($raw) = @_;
    my ($status, $headers, $body) = @$raw;
    my $json = eval { RoomsTest::JSON::json_decode($body) };
    my $all = ref $json eq 'HASH' ? $json : {};
    my $error = $all->{error} // {};

    # reading an element of an empty list would create it
    my ($first) = @{$error->{details} || []};

    $first //= {};

    return { status => $status, headers => $headers, body => $body,
             json => $json, data => $all->{data}, meta => $all->{meta},
             code => $error->{code} // '', message => $error->{message} // '',
             field => $first->{field}, problem => $first->{problem} // '' };
}

sub call {
    my ($method, $path, $who, $body, %headers) = @_;

    return answer(RoomsTest::HTTP::http_req($method, $path, token($who),
                                            $body, %headers));
}

# Calls that run concurrently.
sub many {
    my ($concurrency, @calls) = @_;
    my @raw = map { my ($method, $path, $who, @rest) = @$_;
                    [$method, $path, token($who), @rest] } @calls;

    return map { answer($_) }
           @{RoomsTest::HTTP::http_many(\@raw, $concurrency, 60)};
}

# What an answer with this code needs beside it.
my %needs = (
    (map { $_ => 'retry-after' } qw(SW_CONFLICT SW_STORE_UNAVAILABLE
                                    SW_RATE_LIMIT_EXCEEDED)),
    (map { $_ => 'www-authenticate' } qw(SW_AUTH_INVALID_TOKEN
                                         SW_AUTH_EXPIRED_TOKEN)),
    SW_METHOD_NOT_ALLOWED => 'allow', SW_UPGRADE_REQUIRED => 'upgrade',
);

# One test for all expectations of an answer.
sub expect {
    my ($want, $method, $path, $who, $body, @headers) = @_;
    my ($line, $spec) = split /\n/, $want, 2;
    my ($status, $code, $field) = split ' ', $line;
    my $res = call($method, $path, $who, $body, @headers);
    my @bad;
    my $name = join ' ', $method, $path, $who // '-',
               !defined $body ? () : ref $body ? $json->encode($body)
               : $body, '->', $line;

    $name = substr($name, 0, 150) . '...' if length $name > 160;

    push @bad, "status: $res->{status}" if $res->{status} != $status;
    push @bad, 'no X-Request-Id' if !$res->{headers}{'x-request-id'};
    push @bad, 'a body' if $method eq 'HEAD' && $res->{body} ne '';
    push @bad, 'no JSON' if $method ne 'HEAD' && $res->{status} != 304
                            && !ref $res->{json};

    push @bad, "no $needs{$code}"
        if defined $code && $needs{$code}
           && ($res->{headers}{$needs{$code}} // '') eq '';

    if (defined $code && ref $res->{json}) {
        my $error = $res->{json}{error} || {};
        my @details = map { $_->{field} } @{$error->{details} || []};

        push @bad, "code: $res->{code}" if $res->{code} ne $code;
        push @bad, 'no message' if ($error->{message} // '') eq '';
        push @bad, 'another request_id'
            if ($error->{request_id} // '')
               ne $res->{headers}{'x-request-id'};
        push @bad, "fields: @details"
            if defined $field && !grep { $_ eq $field } @details;
        push @bad, "message: $res->{message}"
            if $code eq 'SW_VALIDATION_FAILED' && @details
               && $res->{message} ne 'the request is not valid: '
                                     . "$res->{field}: $res->{problem}";
    }

    push @bad, RoomsTest::JSON::json_problems($res->{body}, $spec)
        if defined $spec && $spec =~ /\S/;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    utf8::encode($name) if utf8::is_utf8($name);

    Test::More::ok(!@bad, $name)
        || Test::More::diag(map({ "failed: $_\n" } @bad), 'body: ',
                            $res->{body});

    return $res;
}

sub must {
    my $res = call(@_);

    die "$_[0] $_[1]: $res->{status} $res->{body}\n"
        if $res->{status} !~ /^2/;

    return $res->{data};
}

# Participants exist after their first request.
sub known {
    my @res = many(8, map { ['POST', '/v1/auth/register', $_, {}] } @_);

    for my $res (@res) {
        die "not registered: $res->{body}\n" if $res->{status} != 200;
    }

    return map { $_->{data} } @res;
}

# make(group => 'ann', name => 'x', ...) returns the id of a new room.
sub make {
    my ($type, $who, %fields) = @_;

    return must('POST', '/v1/rooms/dm', $who,
                { participant_id => $fields{with} })->{id} if $type eq 'dm';

    $fields{name} //= 'Engineering' if $type =~ /^(?:group|public)$/;

    return must('POST', '/v1/rooms', $who,
                { room_type => $type, %fields })->{id};
}

# Adds participants to a room: the first one invites the others, who join;
# "bob=50" gets that power.
sub admit {
    my ($room, $by, @who) = @_;

    for my $who (@who) {
        my ($name, $power) = split /=/, $who;

        known($name);
        must('POST', "/v1/rooms/$room/invite", $by,
             { participant_id => $name });
        must('POST', "/v1/rooms/$room/join", $name);
        must('PUT', "/v1/rooms/$room/members/$name/power-level", $by,
             { power_level => 0 + $power }) if defined $power;
    }
}

# All pages of a list.
sub pages {
    my ($path, $who, $name, $limit) = @_;
    my ($cursor, @all);
    my $sign = $path =~ /\?/ ? '&' : '?';

    do {
        my $res = call('GET', "$path${sign}limit=$limit"
                       . (defined $cursor ? "&$name=$cursor" : ''), $who);

        die "$path: $res->{body}\n" if $res->{status} != 200;

        push @all, @{$res->{data}};
        $cursor = $res->{meta}{has_more} ? $res->{meta}{next_cursor}
                                         : undef;
    } while (defined $cursor);

    return @all;
}

sub ids { return map { $_->{id} } @_ }

sub members {
    my ($room, $who) = @_;

    return pages("/v1/rooms/$room/members", $who, 'cursor', 1000);
}

sub member {
    my ($room, $who, $whom) = @_;
    my ($row) = grep { $_->{participant_id} eq ($whom // $who) }
                members($room, $who);

    return $row;
}

# Events in the form of the store and of /v1/sync: without reactions.
sub events {
    my ($room, $who) = @_;
    my @events = pages("/v1/rooms/$room/messages?direction=forward", $who,
                       'from', 200);

    delete $_->{reactions} for @events;

    return @events;
}

# The number of stored events in all rooms of the tenant.
sub event_count {
    my $n = 0;

    $n += RoomsTest::Redis::redis('ZCARD', $_)
        for @{RoomsTest::Redis::redis('KEYS', key('r:*:events'))};

    return $n;
}

# The position in an event's id.
sub event_place {
    no warnings 'portable';

    return hex substr $_[0], 4, 13;
}

sub newest {
    my ($room, $who) = @_;
    my $res = call('GET', "/v1/rooms/$room/messages?limit=1", $who);

    delete $res->{data}[0]{reactions};

    return $res->{data}[0];
}

# The store's own rows of a room: who => [membership, power].
sub who_is {
    my ($room) = @_;
    my %rows = @{RoomsTest::Redis::redis('HGETALL',
                                         key("r:$room:members"))};

    return map { $_ => [(split ' ', $rows{$_})[0, 1]] } keys %rows;
}

# One test: data that the store keeps twice must agree.
sub verify_room {
    my ($room, $name) = @_;
    my $redis = \&RoomsTest::Redis::redis;
    my %rows = who_is($room);
    my @in = grep { $rows{$_}[0] eq 'join' } keys %rows;
    my @invited = grep { $rows{$_}[0] eq 'invite' } keys %rows;
    my @banned = grep { $rows{$_}[0] eq 'ban' } keys %rows;
    my @admins = grep { $rows{$_}[1] == 100 } @in;
    my ($joined, $invites, $admins, $position) =
        map { $_ // 0 } @{$redis->('HMGET', key("r:$room"), 'joined',
                                   'invited', 'admins', 'position')};
    my @bad;
    my $same = sub {
        my ($what, $got, $want) = @_;
        my ($x, $y) = map { join ' ', sort @$_ } $got, $want;

        push @bad, "$what: $x, rows: $y" if $x ne $y;
    };

    $same->('joined', [$joined], [scalar @in]);
    $same->('invited', [$invites], [scalar @invited]);
    $same->('admins', [$admins], [scalar @admins]);
    $same->('list', $redis->('ZRANGE', key("r:$room:list"), 0, -1),
            [@in, @invited]);
    $same->('order', $redis->('ZRANGE', key("r:$room:order"), 0, -1), \@in);
    $same->('bans', $redis->('ZRANGE', key("r:$room:bans"), 0, -1),
            \@banned);

    my ($meta, $state) = @{$redis->('HMGET', key("r:$room"), 'meta', 'state')};
    my ($messages, @redacted) = (0);

    # a redacted event may have been an edit, which isn't one message more; of
    # an incognito room what was written is wiped

    my $wiped = $meta =~ /incognito/ && $state eq 'closed';

    for my $row (@{$redis->('ZRANGE', key("r:$room:events"), 0, -1)}) {
        my ($digits, $type, $n, $rest)
            = $row =~ /^(\w+) (\S+) \S+ \d+ n(\d+) (.*)/s or next;
        my $gone = $rest =~ /^(?:e\d+ )?r\d/;
        my $more = $n - $messages;
        my $edit = $gone || $rest =~ /^[^{]*\{"replaces":|"replaces":"evt-/;

        last if $wiped;
        push @bad, "number of $digits: $n after $messages"
            if $more != ($type eq 'message')
               && !($type eq 'message' && $edit && $more == 0);
        push @redacted, substr $digits, 0, 13 if $gone && $more;
        $messages = $n;
    }

    $same->('messages', [$redis->('HGET', key("r:$room"), 'messages') // 0],
            [$messages])
        if !$wiped;
    $same->('redacted', $redis->('ZRANGE', key("r:$room:redacted"), 0, -1),
            \@redacted);

    push @bad, 'public, and not open'
        if ($redis->('HGET', key("r:$room"), 'state') // '') ne 'open'
           && defined $redis->('ZSCORE', key('public'), $room);

    for my $who (@in, @invited) {
        push @bad, "not in the rooms of $who"
            if !defined $redis->('ZSCORE', key("p:$who:rooms"), $room);
    }

    # only those who may reopen an empty room find it

    for my $index (@{$redis->('KEYS', key('p:*:rooms'))}) {
        my ($who) = $index =~ /:p:(.*):rooms\z/;

        push @bad, "in the rooms of $who, who is not in"
            if defined $redis->('ZSCORE', $index, $room)
               && !grep({ $_ eq $who } @in, @invited)
               && (@in || $who ne ($redis->('HGET', key("r:$room"),
                                            'last_member') // ''));
    }

    for my $who (map { s{^\w+ }{}r } @{$redis->('HKEYS', key("r:$room:own"))}) {
        push @bad, "settings of $who, who is not in"
            if !grep { $_ eq $who } @in;
    }

    my @last = @{$redis->('ZREVRANGE', key("r:$room:events"), 0, 0,
                          'WITHSCORES')};

    push @bad, "position: $position, last event: $last[1]"
        if @last && $position != $last[1];

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok(!@bad, $name // 'the store agrees with itself')
           || Test::More::diag(join "\n", @bad);
}

sub same_but_request_id {
    my ($a, $b, $name) = @_;
    my @texts = map {
        my $text = $_->{body};

        $text =~ s/"request_id":"[0-9a-f]+"/"request_id":""/;
        "$_->{status} $text";
    } $a, $b;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::is($texts[0], $texts[1], $name);
}

1;
