package RoomsTest::Chaos;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Load during faults, and checks of the result.  Some NGINX nodes share one
# store.  Writers send messages, each with an Idempotency-Key, and repeat one
# until it is acknowledged.  Followers read /v1/sync.  At the end the rooms are
# compared with what the writers and the followers have recorded.

use strict;
use warnings;

use Cwd ();
use File::Path ();
use File::Temp ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use RoomsTest::HTTP qw(http_req server_port_is);
use RoomsTest::Process qw(end_process find_program free_port keep_reports
                          patience slurp start_process wait_for);
use RoomsTest::Secrets qw(secrets_warn);

my $json = JSON::PP->new->utf8->canonical;
my $owner = $$;
my @running;

END {
    if ($$ == $owner) {
        local $?;

        $_->stop for @running;
    }
}

# Length of a scenario in seconds: more in make chaos than in make test.
sub seconds { return $ENV{CHAOS_SECONDS} || 5 }

# new(store => URL, nodes => 2, conf => more of the server's configuration,
# preload => [library of node 0, ...])
sub new {
    my ($class, %o) = @_;
    my $self = bless { nodes => [], rooms => [], %o,
                       dir => File::Temp::tempdir('rooms-chaos-XXXXXXXX',
                                                  TMPDIR => 1) }, $class;

    push @running, $self;
    $self->start_node($_) for 0 .. ($o{nodes} || 2) - 1;

    ok(wait_for(60, sub {
        !grep { $self->call($_, 'root', 'POST', '/v1/auth/register')->{status}
                != 200 } $self->ports
    }), 'all nodes answer');

    for my $who (map { ("writer$_", "follower$_") } 0 .. 3) {
        $self->call(($self->ports)[0], $who, 'POST', '/v1/auth/register');
    }

    for my $n (0 .. 1) {
        my $room = $self->call(($self->ports)[0], 'writer0', 'POST',
                               '/v1/rooms', { room_type => 'public',
                                              name => "Room $n" });

        push @{$self->{rooms}}, $room->{data}{id};
        $self->call(($self->ports)[0], $_, 'POST',
                    "/v1/rooms/$room->{data}{id}/join")
            for map { ("writer$_", "follower$_") } 0 .. 3;
    }

    return $self;
}

sub start_node {
    my ($self, $n) = @_;
    my $dir = "$self->{dir}/$n";
    my $port = free_port();
    my $modules = join '', map { "load_module $_;\n" }
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $temp = join '', map { "    ${_}_temp_path $dir/${_}_temp;\n" }
               qw(client_body proxy fastcgi scgi uwsgi);
    my $user = $> == 0 ? 'user root;' : '';

    mkdir $dir or die "$dir: $!\n";
    open my $out, '>', "$dir/nginx.conf" or die "$dir: $!\n";
    print $out <<"END";
daemon off;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log info;
$user
env ASAN_OPTIONS;
env LSAN_OPTIONS;
env UBSAN_OPTIONS;
env LD_PRELOAD;
env ROOMS_CLOCK;
$modules
events { worker_connections 512; }
http {
    access_log off;
$temp
    rooms_media_path $self->{dir}/media;
    server {
        listen 127.0.0.1:$port;
        rooms on;
        rooms_auth mock;
        rooms_tenant t;
        rooms_redis $self->{store};
        ${\ ($self->{conf} // '')}
    }
}
END
    close $out or die "$dir: $!\n";

    local $ENV{LD_PRELOAD} = join ' ', grep { length }
        $ENV{LD_PRELOAD} // '', ($self->{preload} // [])->[$n] // '';
    delete local $ENV{LD_PRELOAD} if $ENV{LD_PRELOAD} eq '';
    local $ENV{ROOMS_CLOCK} = "$dir/clock";

    my $pid = start_process("$dir/stderr.log",
        find_program($ENV{TEST_NGINX_BINARY} || 'nginx'), '-p', "$dir/",
        '-c', "$dir/nginx.conf");

    wait_for(30, sub { -s "$dir/nginx.pid" })
        or die 'cannot start nginx: ' . slurp("$dir/stderr.log");
    $self->{nodes}[$n] = { port => $port, pid => $pid, dir => $dir };
}

sub ports { return map { $_->{port} } @{$_[0]{nodes}} }
sub log { return slurp("$_[0]{nodes}[$_[1]]{dir}/error.log") }

sub workers {
    my ($self, $n) = @_;
    my $pid = $self->{nodes}[$n]{pid};

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}

sub reload {
    my ($self, $n) = @_;

    kill 'HUP', $self->{nodes}[$n]{pid};
}

sub kill_worker {
    my ($self, $n) = @_;
    my @pids = $self->workers($n);

    kill 'KILL', $pids[rand @pids];
}

sub call {
    my ($self, $port, $who, @call) = @_;

    server_port_is($port);

    my $res = http_req($call[0], $call[1], "mock:$who\@t"
                       . ($who eq 'root' ? ':admin' : ''), @call[2 .. $#call]);
    my $body = eval { $json->decode($res->[2]) } || {};

    return { status => $res->[0] // 0, data => $body->{data},
             meta => $body->{meta}, error => $body->{error} || {} };
}

sub child {
    my ($self, $name, $code) = @_;
    my $file = "$self->{dir}/$name";
    my $pid = fork() // die "fork: $!\n";

    return { pid => $pid, file => $file } if $pid;

    my $value = eval { $code->() } // { bad => "$@" };

    open my $out, '>', $file or POSIX::_exit(1);
    print $out $json->encode($value);
    close $out;
    POSIX::_exit(0);
}

sub value {
    my ($child) = @_;

    waitpid $child->{pid}, 0;

    return $json->decode(slurp($child->{file}) || '{"bad": "nothing"}');
}

# Sends one message after another.  If a node doesn't acknowledge a message,
# the next node gets it.
sub writer {
    my ($self, $n, $until) = @_;
    my @ports = $self->ports;
    my $room = $self->{rooms}[$n % @{$self->{rooms}}];
    my ($from, $who) = ($n, "writer$n");
    my (@acked, %odd);

    $n = "$self->{run}-$n";

    for (my $i = 0; time() < $until; $i++) {
        my $tries = 0;

        while (1) {
            my $res = $self->call($ports[($from + $tries++) % @ports],
                                  $who, 'POST', "/v1/rooms/$room/send",
                                  { content => { body => "$n-$i" } },
                                  'Idempotency-Key' => "key-$n-$i");

            if ($res->{status} == 201) {
                push @acked, ["$n-$i", time(), $res->{data}{stream_position}
                                               // 0];
                last;
            }

            $odd{"$res->{status} " . ($res->{error}{code} // '')}++
                if $res->{status} !~ /^(?:0|409|429|502|503|504)$/;
            last if time() > $until + 30 * patience();
            sleep 0.02;
        }

        sleep 0.003;
    }

    return { acked => \@acked, odd => \%odd };
}

# Follows until the file "stop" exists and nothing new arrives.
sub follower {
    my ($self, $n, $since) = @_;
    my @ports = $self->ports;
    my $tries = 0;
    my $resets = 0;
    my (@seen, %odd);

    while (1) {
        my $stop = -e "$self->{dir}/stop";
        my $timeout = $stop ? 1 : 2000;
        my $res = $self->call($ports[($n + $tries) % @ports], "follower$n",
                              'GET', "/v1/sync?since=$since&limit=200"
                                     . "&timeout=$timeout");

        if ($res->{status} != 200) {
            $odd{"$res->{status} " . ($res->{error}{code} // '')}++
                if $res->{status} !~ /^(?:0|429|502|503|504)$/;
            $tries++;
            sleep 0.02;
            next;
        }

        $resets++ if $res->{data}{reset};
        push @seen, map { [$_->{id}, $_->{stream_position}, $resets] }
                    @{$res->{data}{events}};
        last if $stop && !@{$res->{data}{events}} && !$res->{data}{reset}
                && $since == $res->{data}{next_cursor};
        $since = $res->{data}{next_cursor};
    }

    return { seen => \@seen, odd => \%odd, resets => $resets };
}

# All events of a room at the end.
sub room {
    my ($self, $room) = @_;
    my (@events, $cursor);

    do {
        my $res = $self->call(($self->ports)[0], 'follower0', 'GET',
                              "/v1/rooms/$room/messages?direction=forward"
                              . '&limit=200' . ($cursor ? "&from=$cursor"
                                                        : ''));

        die "messages: $res->{status}\n" if $res->{status} != 200;
        push @events, @{$res->{data}};
        $cursor = $res->{meta}{has_more} ? $res->{meta}{next_cursor} : undef;
    } while ($cursor);

    return @events;
}

# run(faults => [[second, code], ...], writers => 4, followers => 2): puts load
# on the nodes, runs the faults' code at their times, and returns the figures.
sub run {
    my ($self, %o) = @_;
    my $for = $o{seconds} // seconds();
    my $begin = time();
    my $until = $begin + $for;

    $self->{run}++;

    my $since = $self->call(($self->ports)[0], 'follower0', 'GET',
                            '/v1/sync?since=0&limit=500&timeout=1')
                     ->{data}{next_cursor};
    my @writers = map {
        my $n = $_;
        $self->child("w$n", sub { $self->writer($n, $until) });
    } 0 .. ($o{writers} // 3) - 1;

    unlink "$self->{dir}/stop";

    my @followers = map {
        my $n = $_;
        $self->child("f$n", sub { $self->follower($n, $since) });
    } 0 .. ($o{followers} // 2) - 1;

    for my $fault (@{$o{faults}}) {
        my $wait = $begin + $fault->[0] * $for - time();

        sleep $wait if $wait > 0;
        $fault->[1]->();
    }

    my @wrote = map { value($_) } @writers;

    $o{after}->() if $o{after};
    ok(wait_for(60, sub {
        !grep { $self->call($_, 'follower0', 'GET',
                            "/v1/rooms/$self->{rooms}[0]")->{status} != 200 }
              $self->ports
    }), 'all nodes answer again');

    open my $stop, '>', "$self->{dir}/stop" or die;
    close $stop;

    return $self->figures($since, $until, \@wrote, [map { value($_) } @followers]);
}

sub figures {
    my ($self, $since, $until, $wrote, $followed) = @_;
    my (%there, %double, @positions, @lost, %odd, @times);

    for my $room (@{$self->{rooms}}) {
        my $before = '';

        for my $e ($self->room($room)) {
            $odd{'an event before the one before it'}++
                if $e->{created_at} lt $before;
            $before = $e->{created_at};
            push @positions, [$e->{id}, $e->{stream_position}];
            next if $e->{event_type} ne 'swp.room.message';
            $double{$e->{content}{body}}++
                if $there{"$e->{sender_id} $e->{content}{body}"}++;
        }
    }

    for my $n (0 .. $#$wrote) {
        my $w = $wrote->[$n];

        $odd{bad}++ if $w->{bad};
        $odd{$_} += $w->{odd}{$_} for keys %{$w->{odd}};
        push @times, map { $_->[1] } @{$w->{acked}};
        push @lost, grep { !$there{"writer$n $_->[0]"} } @{$w->{acked}};
    }

    @times = sort { $a <=> $b } @times;
    @lost = sort { $a->[1] <=> $b->[1] } @lost;

    my $longest = @times ? $until - $times[-1] : $until;

    for my $i (1 .. $#times) {
        my $gap = $times[$i] - $times[$i - 1];

        $longest = $gap if $gap > $longest;
    }

    my ($skipped, $twice, $resets) = (0, 0, 0);

    for my $f (@$followed) {
        my %seen;

        $odd{bad}++ if $f->{bad};
        $odd{$_} += $f->{odd}{$_} for keys %{$f->{odd}};

        # a client that is told to reload starts again at the given position

        my %read;

        $twice += grep { $read{"@$_[0, 2]"}++ } @{$f->{seen}};
        $seen{$_->[0]} = 1 for @{$f->{seen}};
        $skipped += grep { $_->[1] > $since && !$seen{$_->[0]} } @positions;
        $resets += $f->{resets} // 0;
    }

    return { acknowledged => scalar @times, lost => \@lost,
             doubled => scalar keys %double, skipped => $skipped,
             twice => $twice, resets => $resets, outage => $longest,
             odd => \%odd };
}

# One line of the table that make chaos prints.
sub print_figures {
    my ($name, $figures) = @_;
    my $file = $ENV{CHAOS_FIGURES} // return;

    open my $out, '>>', $file or die "$file: $!\n";
    printf $out "%-38s %7d %5d %8d %8d %6d %6.2f s\n", $name,
           $figures->{acknowledged}, scalar @{$figures->{lost}},
           @$figures{qw(doubled skipped twice outage)};
    close $out or die "$file: $!\n";
}

# Prints the figures and tests them.  `lost` is the allowed number of lost
# messages, or code that gets their list.  With `resets`, followers may be told
# to reload: a worker that hasn't noticed a failover asks the old primary,
# which is behind what the followers have read from the new one.
sub report {
    my ($name, $figures, %may) = @_;

    print_figures($name, $figures);
    note(sprintf '%s: %d acknowledged, longest outage %.2f s', $name,
         @$figures{qw(acknowledged outage)});

    cmp_ok($figures->{acknowledged}, '>', 0, "$name: work was done");

    if (ref $may{lost}) {
        ok($may{lost}->(@{$figures->{lost}}), "$name: what may be lost")
            or diag(scalar @{$figures->{lost}}, ' lost, from ',
                    $figures->{lost}[0][1], ' to ',
                    $figures->{lost}[-1][1]);

    } else {
        is(scalar @{$figures->{lost}}, $may{lost} // 0, "$name: lost");
    }

    is($figures->{doubled}, 0, "$name: doubled");
    is($figures->{skipped}, 0, "$name: skipped by followers");
    is($figures->{twice}, 0, "$name: seen twice");
    is($figures->{resets}, 0, "$name: no follower has to reload")
        if !$may{resets};
    is_deeply($figures->{odd}, {}, "$name: no odd answer");
    cmp_ok($figures->{outage}, '<', $may{outage} * patience(),
           "$name: the longest outage") if $may{outage};
}

sub stop {
    my ($self) = @_;

    for my $node (grep { $_ } splice @{$self->{nodes}}) {
        end_process($node->{pid}, 'TERM', 10);
        secrets_warn("$node->{dir}/error.log");
        keep_reports("$node->{dir}/stderr.log", "$node->{dir}/error.log");
    }

    @running = grep { $_ != $self } @running;
    File::Path::remove_tree($self->{dir});
}

1;
