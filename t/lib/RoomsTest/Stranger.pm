package RoomsTest::Stranger;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Another server, which follows docs/federation-protocol.md, and violates it on
# request.

use strict;
use warnings;

use Exporter qw(import);
use File::Path ();
use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);

use RoomsTest::JSON ();
use RoomsTest::HTTP qw(http_req);
use RoomsTest::Nginx qw(run_nginx);
use RoomsTest::Process qw(free_port);
use RoomsTest::Signer;

our @EXPORT_OK = qw(call policy member);

my $json = JSON::PP->new->utf8->canonical;
my $n = 0;
my $tenant;

# new(its name, its seed, the name of the server under test)
sub new {
    my ($class, $name, $seed, $to) = @_;

    return bless { name => $name, to => $to, position => 1000,
                   signer => RoomsTest::Signer->new($name, $seed) }, $class;
}

# around($name, $tenant, @letters) starts an nginx that federates under a name,
# and returns strangers, of which only the descriptors are served.  A hash
# before the letters may have workers, and more of server{} and http{}.
sub around {
    my ($name, @letters) = @_;

    $tenant = shift @letters;

    my %o = ref $letters[0] ? %{shift @letters} : ();
    my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
    my (@strangers, $http);

    $http = $o{http} // '';

    for my $letter (@letters) {
        my $port = free_port();
        my $self = __PACKAGE__->new("127.0.0.1:$port", $letter x 32, $name);

        $self->{served} = $dir;
        $self->{letter} = $letter;
        RoomsTest::Signer::write_file("$dir/$letter.json",
                                      $self->{signer}->descriptor);
        chmod 0640, "$dir/$letter.json";
        push @strangers, $self;

        $http .= <<"END";
    server {
        listen 127.0.0.1:$port;
        access_log $dir/$letter.log;
        location = /.well-known/scaiwave/server { alias $dir/$letter.json; }
        location ~ ^/_scaiwave/federation/v1/profile/(\\w+)\$ {
            alias $dir/$letter-\$1.json;
        }
        location /_scaiwave/ { root $dir/$letter; }
    }
END
    }

    RoomsTest::Signer::write_file("$dir/own.key",
                                  encode_base64('a' x 32, ''));
    chmod 0640, "$dir/own.key";

    run_nginx(<<"END", workers => $o{workers} // 2, http => $http);
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name $name;
        rooms_tenant $tenant;
        rooms_federation on;
        rooms_federation_key $dir/own.key;
        rooms_federation_allow_private on;
        @{[ $o{server} // '' ]}
        location = /_rooms_peer {
            internal;
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
        }
END

    return @strangers;
}

# Requests by participants of the server under test, and setting its policy.
sub call {
    my ($who, $method, $path, $body, %headers) = @_;
    my $res = http_req($method, $path, "mock:$who",
                       ref $body ? $json->encode($body) : $body, %headers);
    my $data = eval { RoomsTest::JSON::json_decode($res->[2]) } || {};

    return { status => $res->[0], headers => $res->[1], data => $data->{data},
             meta => $data->{meta}, code => $data->{error}{code} // '',
             details => $data->{error}{details} };
}

sub policy {
    my ($policy) = @_;

    return call("root\@$tenant:admin", 'PUT', '/v1/admin/federation/policy',
                $policy);
}

sub name { $_[0]{name} }
sub signer { $_[0]{signer} }
sub fqid { "\@$_[1]:$_[0]{name}" }

# An event; the given members replace the defaults.
sub event {
    my ($self, $room, $local, $type, $content, %o) = @_;

    return {
        id => sprintf('evt-%013x%016x', ++$self->{position}, ++$n),
        room_id => $room, sender => $self->fqid($local),
        profile => { display_name => ucfirst $local, avatar_url => undef },
        event_type => "swp.room.$type", content => $content,
        origin_ts => time, created_at => rfc3339(time), %o,
    };
}

sub rfc3339 {
    my ($s, $m, $h, $d, $mon, $y) = gmtime $_[0];

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.000Z', $y + 1900, $mon + 1,
                   $d, $h, $m, $s;
}

# "room" of an event from the room's home, and an element of "members".
sub room {
    my ($self, $name, %o) = @_;

    return { room_type => 'group', name => $name, topic => undef,
             is_public => JSON::PP::false, state => 'open',
             federated => JSON::PP::true, creator => $self->fqid('bob'),
             created_at => rfc3339(time), %o };
}

sub member {
    my ($fqid, $membership, $power) = @_;

    return { fqid => $fqid, membership => $membership,
             power_level => $power // 0,
             joined_at => $membership eq 'join' ? rfc3339(time) : undef,
             display_name => ucfirst(($fqid =~ /\A@([^:]+)/)[0]),
             avatar_url => undef };
}

# Sets the profile that this server gives of a participant.
sub profile {
    my ($self, $local, $name, %o) = @_;
    my $file = "$self->{served}/$self->{letter}-$local.json";

    RoomsTest::Signer::write_file("$file.new", $json->encode({ data =>
        { local_id => $local, server_name => $self->{name},
          display_name => $name, avatar_url => undef, %o } }));
    rename "$file.new", $file or die "$file: $!\n";
}

# Its answer to any GET of a path.
sub serves {
    my ($self, $path, $data) = @_;
    my $file = "$self->{served}/$self->{letter}$path";

    File::Path::make_path($file =~ m{\A(.*)/});
    RoomsTest::Signer::write_file($file, ref $data ? $json->encode($data)
                                                   : $data);
}

sub asked {
    my ($self) = @_;

    return map { m{"GET (\S+)} ? $1 : () } split /\n/,
           RoomsTest::Process::slurp("$self->{served}/$self->{letter}.log");
}

# For suites of blocks: completes an event that a block writes.  The sender's
# name is enough, and of the room and its members, the parts that matter.
sub completed {
    my ($self, $event) = @_;
    my %event = %$event;
    my ($local) = $event{sender} =~ /\A\@?([^:]+)/;

    $event{sender} = $self->fqid($local) if $event{sender} !~ /\A\@/;
    $event{room} = $self->room(undef, %{$event{room}}) if ref $event{room};
    $event{members} = [map {
        { exists $_->{fqid} ? %{member(@$_{qw(fqid membership)})} : (), %$_ }
    } @{$event{members}}] if ref $event{members} eq 'ARRAY';

    return $self->event($event{room_id}, $local, '', {}, %event);
}

# Code for signs() of RoomsTest::Blocks, which also completes and signs the
# events in a request.  The options are those of RoomsTest::Signer::headers,
# and, to forge, the method and target to sign; code is called each time.
sub signer_of_calls {
    my ($self, %o) = @_;

    return sub {
        my ($method, $target, $body) = @_;
        my $all = eval { RoomsTest::JSON::json_decode($body // '') };

        $body = $json->encode({ %$all, events =>
            [map { $self->signed($self->completed($_)) } @{$all->{events}}] })
            if ref $all eq 'HASH' && ref $all->{events} eq 'ARRAY';

        return ($body, $self->{signer}->headers(
                           $o{method} // $method, $o{target} // $target,
                           authority => $self->{to}, body => $body // '',
                           map { $_ => ref $o{$_} ? $o{$_}->() : $o{$_} }
                               keys %o));
    };
}

# A server{} beside that of the block, which serves this server's descriptor,
# and other given configuration.
sub virtual {
    my ($self, $more) = @_;
    my $descriptor = $self->{signer}->descriptor;

    $more //= '';

    return <<"END";
    server {
        listen \$TEST_NGINX_SERVER_PORT;
        server_name $self->{name};
        location = /.well-known/scaiwave/server { return 200 '$descriptor'; }
        location / { return 404; }
        $more
    }
END
}

sub signed {
    my ($self, $event) = @_;
    my %event = %$event;
    my $signer = $self->{signer};

    delete $event{signatures};

    return { %event, signatures =>
             { $self->{name} => { $signer->key_id =>
                                  $signer->sign($json->encode(\%event)) } } };
}

# Sends events unchanged; returns the status and the results.
sub post {
    my ($self, @events) = @_;

    return $self->post_text($json->encode({ events => \@events }));
}

sub post_text {
    my ($self, $body, %o) = @_;
    my $path = '/_scaiwave/federation/v1/send';
    my $res = http_req('POST', $path, undef, $body,
                       $self->{signer}->headers('POST', $path, body => $body,
                                                authority => $self->{to},
                                                %o));
    my $data = eval { RoomsTest::JSON::json_decode($res->[2]) } // {};

    return ($res->[0], $data->{data}{results}, $data->{error}{code} // '');
}

# Signs an event and sends it; returns "status code reason".
sub tell {
    my ($self, $event) = @_;
    my ($status, $results, $code) = $self->post($self->signed($event));

    return "$status $code" if $status != 200;

    my $r = $results->[0];

    return $r->{code} ? "$r->{status} $r->{code}" : $r->{status};
}

sub get {
    my ($self, $path) = @_;
    my $res = http_req('GET', $path, undef, undef,
                       $self->{signer}->headers('GET', $path,
                                                authority => $self->{to}));

    return ($res->[0], eval { RoomsTest::JSON::json_decode($res->[2]) });
}

1;
