package Test::Nginx::Util;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# The settings, the server root and the generated configuration of the small
# Test::Nginx runner.  The names that suites use are those of the CPAN
# distribution Test::Nginx, which takes precedence where it is installed.

use strict;
use warnings;

use Carp qw(croak);
use Exporter 'import';
use File::Path qw(make_path remove_tree);
use File::Temp ();
use IO::Socket::INET;
use Test::More ();

our @EXPORT = qw(
    $ServerPort $ServerPortForClient $ServerAddr $ServerName $NginxVersion
    $ServRoot $RepeatEach
    add_block_preprocessor add_cleanup_handler add_test_cleanup_handler
    bail_out check_accum_error_log config_preamble env_to_nginx
    expand_env_in_text html_dir log_level master_off master_on
    master_process_enabled no_long_string no_root_location no_shuffle
    parse_headers parse_time repeat_each server_addr server_name server_port
    server_port_for_client server_root timeout use_hup worker_connections
    workers
);

sub free_port (;$) {
    my ($taken) = @_;

    # Below the usual range of ephemeral ports, so that no outgoing
    # connection takes the port between two starts of nginx.
    for (1 .. 1000) {
        my $port = 20000 + int rand 12000;

        next if $taken && $taken->{$port};

        my $sock = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            Proto     => 'tcp',
            Listen    => 1,
            ReuseAddr => 1,
        ) or next;

        close $sock;

        return $port;
    }

    die "no free port found\n";
}

our $ServerAddr = '127.0.0.1';
our $ServerName = 'localhost';
our $ServerPort = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT}
                  || free_port();
our $ServerPortForClient = $ENV{TEST_NGINX_CLIENT_PORT} || $ServerPort;

our $NginxBinary = $ENV{TEST_NGINX_BINARY} || 'nginx';
our $LoadModules = $ENV{TEST_NGINX_LOAD_MODULES} || '';
our $UseValgrind = $ENV{TEST_NGINX_USE_VALGRIND};
our $Verbose     = $ENV{TEST_NGINX_VERBOSE};

our $NginxVersion;

our $RepeatEach        = 1;
our $NoShuffle         = $ENV{TEST_NGINX_NO_SHUFFLE} || 0;
our $Timeout           = $ENV{TEST_NGINX_TIMEOUT} || 3;
our $Workers           = 1;
our $WorkerConnections = 64;
our $LogLevel          = $ENV{TEST_NGINX_LOG_LEVEL} || 'debug';
our $MasterProcess     = $ENV{TEST_NGINX_MASTER_PROCESS} || 'off';
our $NoRootLocation    = 0;
our $CheckAccumErrLog  = $ENV{TEST_NGINX_CHECK_ACCUM_ERR_LOG};
our $ForceRestart      = $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} || 0;
our $ConfigPreamble    = '';
our $RandPorts         = {};

our (@EnvToNginx, @BlockPreprocessors, @CleanupHandlers,
     @TestCleanupHandlers);

my $TempRoot;

our $ServRoot = $ENV{TEST_NGINX_SERVROOT}
    || ($TempRoot = File::Temp::tempdir('servroot-XXXXXXXX', TMPDIR => 1));

$ENV{TEST_NGINX_SERVER_ROOT} = $ServRoot;

our $HtmlDir    = "$ServRoot/html";
our $ErrLogFile = "$ServRoot/logs/error.log";
our $AccLogFile = "$ServRoot/logs/access.log";
our $ConfFile   = "$ServRoot/conf/nginx.conf";
our $PidFile    = "$ServRoot/logs/nginx.pid";
our $StderrFile = "$ServRoot/logs/stderr.log";

# Getters, which set the value if one is given.
sub repeat_each (@)            { $RepeatEach = shift if @_; $RepeatEach }
sub server_addr (@)            { $ServerAddr = shift if @_; $ServerAddr }
sub server_name (@)            { $ServerName = shift if @_; $ServerName }
sub server_port (@)            { $ServerPort = shift if @_; $ServerPort }
sub timeout (@)                { $Timeout = shift if @_; $Timeout }
sub workers (@)                { $Workers = shift if @_; $Workers }
sub log_level (@)              { $LogLevel = shift if @_; $LogLevel }

sub server_port_for_client (@) {
    $ServerPortForClient = shift if @_;
    return $ServerPortForClient;
}

sub worker_connections (@) {
    $WorkerConnections = shift if @_;
    return $WorkerConnections;
}

sub master_process_enabled (@) {
    $MasterProcess = shift() ? 'on' : 'off' if @_;
    return $MasterProcess;
}

sub master_on ()               { $MasterProcess = 'on' }
sub master_off ()              { $MasterProcess = 'off' }
sub no_shuffle ()              { $NoShuffle = 1 }
sub no_root_location ()        { $NoRootLocation = 1 }
sub check_accum_error_log ()   { $CheckAccumErrLog = 1 }
sub html_dir ()                { $HtmlDir }
sub server_root ()             { $ServRoot }
sub config_preamble ($)        { $ConfigPreamble = shift }

# Accepted for compatibility; it has no effect here.
sub no_long_string ()          { 1 }
sub use_hup ()                 { 1 }

# The handler that was added last runs first.
sub add_block_preprocessor (&) { unshift @BlockPreprocessors, shift }
sub add_cleanup_handler ($)    { unshift @CleanupHandlers, shift }
sub add_test_cleanup_handler ($) { unshift @TestCleanupHandlers, shift }

sub env_to_nginx (@) {
    croak "env_to_nginx: nothing given" if !@_;

    for my $var (@_) {
        croak "env_to_nginx: bad value: $var"
            if $var !~ /\A[A-Za-z_][^\n]*\z/;

        push @EnvToNginx, $var;
    }
}

sub bail_out (@) {
    require Test::Nginx::Runner::Process;
    Test::Nginx::Runner::Process::stop();
    Test::More::BAIL_OUT(join '', @_);
}

sub parse_time ($) {
    my ($time) = @_;

    return undef if !defined $time;
    return $1 / 1000 if $time =~ /\A\s*([\d.]+)\s*ms\s*\z/;
    return $1 if $time =~ /\A\s*([\d.]+)\s*s?\s*\z/;
    return $time;
}

sub expand_env_in_text ($$;$) {
    my ($text, $name, $ports) = @_;

    return $text if !defined $text || ref $text;

    $ports ||= $RandPorts;

    $text =~ s/\$(TEST_NGINX_[A-Z0-9_]+)/_variable($1, $name, $ports)/ge;

    return $text;
}

# The lines "Key: value" and "! Key" (undef: no such header) of a section.
sub parse_headers ($) {
    my ($text) = @_;
    my %headers;

    for my $line (split /\n/, $text // '') {
        $line =~ s/^\s+|\s+$//g;

        if ($line =~ s/^!\s*//) {
            $headers{$line} = undef;

        } else {
            my ($key, $value) = split /\s*:\s*/, $line, 2;

            $headers{$key} = $value if defined $key;
        }
    }

    return \%headers;
}

sub _variable {
    my ($var, $name, $ports) = @_;

    if ($var =~ /\ATEST_NGINX_RAND_PORT_\d+\z/) {
        my %taken = map { $_ => 1 } $ServerPort, values %$ports;

        return $ports->{$var} ||= free_port(\%taken);
    }

    bail_out("$name - the environment has no $var")
        if !defined $ENV{$var};

    return $ENV{$var};
}

sub find_binary {
    return $NginxBinary if $NginxBinary =~ m{/};

    for my $dir (split(/:/, $ENV{PATH} || ''), '/usr/sbin',
                 '/usr/local/sbin')
    {
        return "$dir/$NginxBinary" if -f "$dir/$NginxBinary"
                                      && -x "$dir/$NginxBinary";
    }

    bail_out("no nginx binary \"$NginxBinary\" in PATH");
}

sub canon_version {
    return sprintf '%d.%03d%03d', @_[0 .. 2];
}

sub nginx_version {
    return $NginxVersion if defined $NginxVersion;

    my $binary = find_binary();
    my $output = `$binary -V 2>&1`;

    bail_out("cannot tell the version of $binary: $output")
        if $output !~ m{/(\d+)\.(\d+)\.(\d+)};

    return $NginxVersion = canon_version($1, $2, $3);
}

sub write_file {
    my ($path, $text) = @_;

    open my $out, '>:raw', $path or bail_out("cannot write $path: $!");
    print $out $text;
    close $out or bail_out("cannot write $path: $!");
}

sub read_file {
    my ($path) = @_;

    open my $in, '<:raw', $path or return undef;
    local $/;

    return scalar <$in>;
}

# Removes only files that the runner has made: the server root may be a
# directory with other files.
sub reset_server_root {
    remove_tree("$ServRoot/logs", "$ServRoot/conf", "$ServRoot/cache",
                glob("$ServRoot/*_temp"), glob("$ServRoot/*_cache"));
    make_path("$ServRoot/logs", "$ServRoot/conf");
    reset_html_dir();
}

sub reset_html_dir {
    remove_tree($HtmlDir);
    make_path($HtmlDir);
    write_file("$HtmlDir/index.html",
               '<html><head><title>It works!</title></head>'
               . '<body>It works!</body></html>');
}

sub write_user_files {
    my ($block) = @_;
    my $files = $block->user_files;

    return if !$files;

    if (!ref $files) {
        my @list;

        for my $line (split /^/, $files) {
            if ($line =~ /^>>> (\S+)(?:\s+(\S.*?))?\s*$/) {
                push @list, [$1, '', $2];

            } elsif (@list) {
                $list[-1][1] .= $line;
            }
        }

        $files = \@list;
    }

    for my $file (@$files) {
        my ($path, $body, $date) = @$file;

        $path = "$HtmlDir/$path" if $path !~ m{^/};

        make_path($path =~ m{(.*)/});
        write_file($path,
                   expand_env_in_text($body // '', $block->name));

        next if !defined $date;

        local $ENV{TZ} = 'GMT';
        system('touch', '-t', $date, $path) == 0
            or bail_out("cannot set the time of $path");
    }
}

sub make_config {
    my ($block, $config) = @_;

    my $name = $block->name;

    my ($main, $http, $post_main, $log) =
        map { my $text = $block->$_;
              $text = expand_env_in_text($text, $name); $text // '' }
            qw(main_config http_config post_main_config error_log_file);

    my $server_name = $block->server_name // $ServerName;

    $log = $ErrLogFile if $log eq '';

    my $modules = join '', map { "load_module $_;\n" }
                               split ' ', $LoadModules;

    my $env = join '', map { /\s/ ? "env '$_';\n" : "env $_;\n" }
                   @EnvToNginx, qw(LD_PRELOAD LD_LIBRARY_PATH ASAN_OPTIONS
                                   LSAN_OPTIONS UBSAN_OPTIONS
                                   TSAN_OPTIONS);

    my $user = defined $ENV{TEST_NGINX_WORKER_USER}
                   ? "user $ENV{TEST_NGINX_WORKER_USER};"
                   : $> == 0 ? 'user root;' : '';

    my $temp = join '', map { $http =~ /\b${_}_temp_path\b/
                                  ? '' : "    ${_}_temp_path"
                                         . " $ServRoot/${_}_temp;\n" }
                            temp_paths();

    my $postpone = $ENV{TEST_NGINX_POSTPONE_OUTPUT};
    $postpone = defined $postpone && $http !~ /\bpostpone_output\b/
                    ? "    postpone_output $postpone;" : '';

    my $events = $ENV{TEST_NGINX_EVENT_TYPE}
                     ? "    use $ENV{TEST_NGINX_EVENT_TYPE};" : '';

    my $root = $NoRootLocation ? '' : <<"END";
        location / {
            root $HtmlDir;
            index index.html index.htm;
        }
END

    return <<"END";
daemon off;
master_process $MasterProcess;
worker_processes $Workers;
pid $PidFile;
error_log $log $LogLevel;
$user
$env
$modules
$main

http {
    access_log $AccLogFile;
    default_type text/plain;
    keepalive_timeout 68000ms;
$temp
$postpone
$http

    server {
        listen $ServerPort;
        server_name '$server_name';
        client_max_body_size 30M;

$ConfigPreamble
$config

$root
    }
}

$post_main

events {
    accept_mutex off;
    worker_connections $WorkerConnections;
$events
}
END
}

my @temp_paths;

sub temp_paths {
    return @temp_paths if @temp_paths;

    my $binary = find_binary();
    my $output = `$binary -V 2>&1`;

    return @temp_paths = grep { $output !~ /--without-http_${_}_module/ }
                              qw(client_body proxy fastcgi scgi uwsgi);
}

# Called at the very end, when nginx has stopped.
sub remove_temp_root {
    remove_tree($TempRoot)
        if defined $TempRoot && !$ENV{TEST_NGINX_NO_CLEAN};
}

1;
