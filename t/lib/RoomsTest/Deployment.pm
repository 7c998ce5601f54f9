package RoomsTest::Deployment;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A whole deployment: an nginx with two workers and its own store, which keeps
# its data.  A suite may have several.

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(sleep time);

use RoomsTest::JSON ();
use RoomsTest::HTTP qw(http_req server_port_is);
use RoomsTest::Redis ();
use RoomsTest::Process qw(end_process find_program free_port slurp
                          start_process wait_for);
use RoomsTest::Secrets qw(secrets_warn);

my $json = JSON::PP->new->utf8->canonical;

# new($letter, $dir, %options): its files are in "$dir/$letter"; `server` is
# additional configuration, `store` the URL of a store that is started
# elsewhere.
sub new {
    my ($class, $letter, $dir, %o) = @_;
    my $self = bless { letter => $letter, dir => "$dir/$letter", keys => 0,
                       port => free_port(), store => free_port(),
                       server => $o{server} // '' }, $class;

    $self->{elsewhere} = defined $o{store};
    $self->{url} = $o{store} // "redis://127.0.0.1:$self->{store}/0";

    mkdir $self->{dir} or die "$self->{dir}: $!\n";
    $self->{name} = $o{name} // "127.0.0.1:$self->{port}";
    $self->new_key;

    return $self;
}

sub name { $_[0]{name} }
sub port { $_[0]{port} }
sub fqid { "\@$_[1]:$_[0]{name}" }
sub log { slurp("$_[0]{dir}/error.log") }

sub escape {
    return $_[0] =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger;
}

sub write_file {
    my ($name, $text) = @_;

    open my $out, '>', $name or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";
    chmod 0640, $name;
}

# Rotates the key: a new one signs, the previous one becomes an old key.
sub new_key {
    my ($self) = @_;
    my $n = ++$self->{keys};

    write_file("$self->{dir}/$n.key",
               encode_base64(substr(($self->{letter} . $n) x 32, 0, 32), ''));
}

sub configure {
    my ($self) = @_;
    my ($dir, $n) = @$self{qw(dir keys)};
    my $old = $n > 1 ? 'old ' . join ' ', map { "$dir/$_.key" } 1 .. $n - 1
                     : '';
    my $modules = join '', map { "load_module $_;\n" }
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join '', map { "    ${_}_temp_path $dir/${_}_temp;\n" }
               qw(client_body proxy fastcgi scgi uwsgi);

    write_file("$dir/nginx.conf", <<"END");
daemon off;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log info;
$user
env ASAN_OPTIONS;
env LSAN_OPTIONS;
env UBSAN_OPTIONS;
env LD_PRELOAD;
$modules
events { worker_connections 512; }
http {
    access_log $dir/access.log;
$temp
    rooms_media_path $dir/rooms_media;
    server {
        listen 127.0.0.1:$self->{port};
        rooms on;
        rooms_auth mock;
        rooms_redis $self->{url};
        rooms_server_name $self->{name};
        rooms_tenant t;
        rooms_federation on;
        rooms_federation_key $dir/$n.key $old;
        rooms_federation_allow_private on;
        $self->{server}
        location = /_rooms_peer {
            internal;
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
            proxy_method \$rooms_peer_method;
            proxy_set_header Host \$rooms_peer;
            proxy_connect_timeout 2s;
            proxy_read_timeout 3s;
            subrequest_output_buffer_size 1m;
        }
    }
}
END
}

sub start_redis {
    my ($self) = @_;

    return if $self->{redis} || $self->{elsewhere};

    $self->{redis} = start_process("$self->{dir}/redis.log",
        RoomsTest::Redis::binary(),
        '--port', $self->{store}, '--bind', '127.0.0.1',
        '--unixsocket', "$self->{dir}/redis.sock", '--dir', $self->{dir},
        '--save', '', '--appendonly', 'yes', '--daemonize', 'no');

    wait_for(10, sub { -S "$self->{dir}/redis.sock" })
        or die 'cannot start redis-server: ' . slurp("$self->{dir}/redis.log");
}

sub stop_redis {
    my ($self) = @_;

    end_process($self->{redis}, 'TERM', 5) if $self->{redis};
    $self->{redis} = undef;
    unlink "$self->{dir}/redis.sock";
}

sub restart_redis {
    my ($self) = @_;

    $self->stop_redis;
    $self->start_redis;
}

# A command of redis-cli at its store: the lines of the reply, or the first.
sub store {
    my ($self, @command) = @_;

    open my $cli, '-|', 'redis-cli', '-p', $self->{store}, @command
        or die "redis-cli: $!\n";
    chomp(my @lines = <$cli>);
    close $cli;

    return if @lines == 1 && $lines[0] eq '';
    return wantarray ? @lines : $lines[0];
}

sub start {
    my ($self) = @_;
    my $binary = find_program($ENV{TEST_NGINX_BINARY} || 'nginx')
        or die "no nginx found\n";

    $self->start_redis;
    $self->configure;
    unlink "$self->{dir}/nginx.pid";
    $self->{nginx} = start_process("$self->{dir}/stderr.log", $binary,
                                   '-p', "$self->{dir}/",
                                   '-c', "$self->{dir}/nginx.conf");
    wait_for(30, sub { -s "$self->{dir}/nginx.pid" })
        or die 'cannot start nginx: ' . slurp("$self->{dir}/stderr.log");
}

sub stop_nginx {
    my ($self) = @_;

    return if !$self->{nginx};

    end_process($self->{nginx}, 'TERM', 10);
    secrets_warn("$self->{dir}/error.log");
    $self->{nginx} = undef;
}

sub stop {
    my ($self) = @_;

    $self->stop_nginx;
    $self->stop_redis;
}

sub reload {
    my ($self) = @_;
    my $seen = () = $self->log =~ /start worker process /g;

    $self->configure;
    kill 'HUP', $self->{nginx};
    wait_for(10, sub {
        (() = $self->log =~ /start worker process /g) >= $seen + 2;
    }) or die "no reload\n";
}

# A request by a participant; by the administrator.
sub call {
    my ($self, $who, $method, $path, $body, %headers) = @_;

    server_port_is($self->{port});

    my $res = http_req($method, $path, "mock:$who\@t"
                       . ($who eq 'root' ? ':admin' : ''),
                       ref $body ? $json->encode($body) : $body, %headers);
    my $data = eval { RoomsTest::JSON::json_decode($res->[2]) } || {};

    return { status => $res->[0] // 0, data => $data->{data},
             meta => $data->{meta}, code => $data->{error}{code} // '',
             message => $data->{error}{message} // '' };
}

sub admin {
    my ($self, @call) = @_;

    return $self->call('root', @call);
}

sub policy {
    my ($self, $policy) = @_;

    return $self->admin('PUT', '/v1/admin/federation/policy', $policy);
}

sub federate {
    my ($self, $room, $on) = @_;

    return $self->admin('PUT', "/v1/admin/rooms/$room/federate",
                        { enabled => $on ? JSON::PP::true
                                         : JSON::PP::false });
}

sub events {
    my ($self, $who, $room) = @_;

    return @{ $self->call($who, 'GET', "/v1/rooms/$room/messages"
                          . '?direction=forward&limit=200')->{data} // [] };
}

# "id=membership=power ..."
sub members {
    my ($self, $who, $room) = @_;

    return join ' ', map { "$_->{participant_id}=$_->{membership}"
                           . ($_->{power_level} ? "=$_->{power_level}" : '') }
           @{ $self->call($who, 'GET', "/v1/rooms/$room/members")->{data}
              // [] };
}

1;
