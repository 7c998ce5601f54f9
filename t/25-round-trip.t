# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A room that is exported, imported by another tenant, and exported again.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use JSON::PP ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(form imports unzip zip);
use RoomsTest::Export qw(fill);
use RoomsTest::JSON qw(json_decode json_get);
use RoomsTest::Process qw(slurp write_file);
use Test::Nginx::Socket 'no_plan';

my $media = File::Temp->newdir('rooms-media-XXXXXXXX', TMPDIR => 1);
my $python = File::Temp->newdir('rooms-repack-XXXXXXXX', TMPDIR => 1);
my $json = JSON::PP->new->utf8->canonical;

$ENV{TEST_NGINX_MEDIA} = "$media";

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_server_name both.example;
        rooms_media_path $TEST_NGINX_MEDIA;
END

# What an upload of a file is, and the headers of a form.
sub file {
    my ($name, $type, $bytes) = @_;

    return "POST /v1/media/upload\n"
           . (form($bytes))[0] =~ s/room\.zip/$name/r =~ s{application/zip}{$type}r;
}

sub form_of { return as($_[0]) . "\nContent-Type: " . (form('x'))[1] }

our $bytes = join '', map { chr($_ * 7 % 256) } 1 .. 100_000;

# 500 messages more, straight in the store.
sub filled { fill(saved('room'), 'ann', 500, 40) }

# The same bundle, its entries in another order and stored otherwise.
save(repacked => sub {
    my $entries = unzip(saved('zip'));

    return zip(map { { name => $_, data => $entries->{$_},
                       method => /manifest/ ? 0 : 8 } }
               reverse sort keys %$entries);
});

# The same bundle as Python unpacks and packs it.
save(python => sub {
    write_file("$python/in.zip", saved('zip'));
    system('python3', '-c', <<'PY', "$python") == 0 or die "python3: $?\n";
import sys, zipfile
d = sys.argv[1]
with zipfile.ZipFile(d + '/in.zip') as i:
    assert i.testzip() is None
    with zipfile.ZipFile(d + '/out.zip', 'w', zipfile.ZIP_DEFLATED) as o:
        for n in i.namelist():
            o.writestr(n, i.read(n))
PY
    return slurp("$python/out.zip");
});

sub has_python { return grep { -x "$_/python3" } split /:/, $ENV{PATH} }


# Body filters: of a bundle its manifest;

sub manifest { return unzip($_[0])->{'manifest.json'} }

# its events, one a line, each with its author: an event is named by its number
# here, and a medium by its content, so that a bundle of an import has the same
# lines (the event of the creation, which an import adds, is left out);

sub history {
    my $manifest = json_decode(manifest($_[0]));
    my @events = @{ $manifest->{events} };
    my %number = map { $events[$_]{id} => "event $_" } 0 .. $#events;
    my %content = map { $_->{media_id} => $_->{sha256} }
                  @{ $manifest->{media} };
    my $renamed;

    $renamed = sub {
        my ($value) = @_;

        return [map { $renamed->($_) } @$value] if ref $value eq 'ARRAY';
        return $value if ref $value ne 'HASH';
        return { map {
            my $v = $value->{$_};

            ($_ => /^(?:event_id|replaces)$/ && defined $v
                   ? $number{$v} // $v
                   : $_ eq 'media_id' && defined $v ? $content{$v} // $v
                   : $renamed->($v))
        } keys %$value };
    };

    pop @events if $events[-1]{content}{imported};

    return join "\n", map {
        my $event = $_;
        my $author = delete $event->{content}{_imported_sender}
                     // $manifest->{participants}{$event->{sender_id}};

        $json->encode([@$author{qw(display_name fqid)},
                       map { $renamed->($event->{$_}) }
                       qw(event_type origin_ts created_at edited_at
                          redacted_at content original_content)])
    } @events;
}

# its media, and the contents that are there, each with its bytes' hash;

sub contents {
    my $entries = unzip($_[0]);
    my $list = json_get($entries->{'manifest.json'}, 'media');

    return join "\n",
        map({ "$_->{sha256} $_->{name} $_->{mime_type} $_->{size}" } @$list),
        map { substr($_, 0, 71) . ' ' . sha256_hex($entries->{$_}) }
        grep { $_ ne 'manifest.json' } sort keys %$entries;
}

# of a page of messages, the reactions to each that has some: the number of the
# message, the emoji, how many there are, and a star beside one's own.

sub reactions {
    my @messages = @{ json_get($_[0], 'data') };

    return join ' ', map {
        my $n = $_;

        map { sprintf '%d:%x=%d%s', $n, ord $_->{emoji}, $_->{count},
                      $_->{me} ? '*' : '' }
        @{ $messages[$n]{reactions} // [] }
    } 0 .. $#messages;
}

add_block_preprocessor(sub {
    $_[0]->set_value(no_error_log => '[error]');
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a room with two members
--- calls
ann POST /v1/rooms {"room_type": "group", "name": "Café 😀", "topic": "of \"all\" \\ kinds"} -> 201
    save room: json data.id
bob POST /v1/auth/register -> 200



=== TEST 2: ...
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id": "bob"} -> 200
bob POST /v1/rooms/{{room}}/join -> 200



=== TEST 3: ... with three media of two contents
--- request eval
[::file('one.bin', 'application/x-one', $::bytes), ::file('two words.txt', 'text/plain', 'small'),
 ::file('same.bin', 'application/x-one', $::bytes)]
--- more_headers eval
[map { ::form_of($_) } qw(ann bob bob)]
--- error_code eval
[201, 201, 201]
--- capture eval
[map { "$_: json data.media_id" } qw(one two same)]



=== TEST 4: ... with messages
--- calls
ann POST /v1/rooms/{{room}}/send {"content": {"body": "line\n\t\"\\ {{\xe2\x80\xa8}} {{\xf4\x8f\xbf\xbf}}"}} -> 201
    save first: json data.id
bob POST /v1/rooms/{{room}}/send {"content": {"body": "first version", "media_id": "{{two}}"}} -> 201
    save edited: json data.id
ann POST /v1/rooms/{{room}}/send {"content": {"body": "secret"}} -> 201
    save redacted: json data.id
ann POST /v1/rooms/{{room}}/send {"content": {"body": "see", "attachments": [{"media_id": "{{one}}", "n": 1.5}, {"media_id": "{{same}}"}]}} -> 201
    save reacted: json data.id
ann POST /v1/rooms/{{room}}/send {"content": {"body": "numbers", "list": [1, -2, 1e3, "x", null]}} -> 201
ann POST /v1/rooms/{{room}}/send {"content": {"body": "late"}} -> 201
    save late: json data.id



=== TEST 5: ... edited twice, redacted, reacted to, some of which was taken back
--- calls
bob POST /v1/rooms/{{room}}/events/{{edited}}/edit {"content": {"body": "version <2|3>", "media_id": "{{two}}"}} -> 200
ann POST /v1/rooms/{{room}}/events/{{redacted}}/redact {"reason": "oops"} -> 200
bob,ann POST /v1/rooms/{{room}}/events/{{reacted}}/reaction {"emoji": "👍"} -> 200
ann POST /v1/rooms/{{room}}/events/{{edited}}/reaction {"emoji": "<a|b>"} -> 200
bob POST /v1/rooms/{{room}}/events/{{edited}}/reaction {"emoji": "<a|b|c>"} -> 200
bob DELETE /v1/rooms/{{room}}/events/{{edited}}/reaction {"emoji": "<b|c>"} -> 200
ann POST /v1/rooms/{{room}}/events/{{first}}/reaction {"emoji": "a"} -> 200
ann POST /v1/rooms/{{room}}/events/{{late}}/reaction {"emoji": "a"} -> 200
ann POST /v1/rooms/{{room}}/events/{{late}}/redact {} -> 200



=== TEST 6: ... read up to somewhere, with another topic, and with 500 messages more
--- init: ::filled()
--- calls
bob PUT /v1/rooms/{{room}}/read {"event_id": "{{first}}"} -> 200
ann PUT /v1/rooms/{{room}}/topic {"topic": "changed"} -> 200



=== TEST 7: its reactions
--- request
GET /v1/rooms/{{room}}/messages?direction=forward&limit=100
--- more_headers eval: ::as('ann')
--- response_body_filters eval: \&::reactions
--- response_body eval
"3:61=1* 4:61=2* 4:62=1* 6:1f44d=2*"



=== TEST 8: its bundle
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: ::as('ann')
--- capture
zip: (?s)\A.*\z



=== TEST 9: ... has so many events
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: ::as('ann')
--- response_body_filters eval: \&::manifest
--- json
room.name = Café 😀
room.topic = changed
events # 525
media # 3



=== TEST 10: ... which are these
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: ::as('ann')
--- response_body_filters eval: \&::history
--- capture
history: (?s)\A.*\z



=== TEST 11: ... and these media
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: ::as('ann')
--- response_body_filters eval: \&::contents
--- capture
contents: (?s)\A.*\z



=== TEST 12: another tenant imports all of it
--- request eval
::imports('{{zip}}')
--- more_headers eval: ::form_of('zoe@east')
--- error_code: 201
--- capture
made: json data.id
--- json
data.events_imported = 525
data.media_imported = 3



=== TEST 13: and exports it: the name and the topic are the same, the creation comes last, who imported is the sender, and nothing is indexed
--- request
GET /v1/rooms/{{made}}/export
--- more_headers eval: ::as('zoe@east')
--- response_body_filters eval: \&::manifest
--- json eval
'room.name = Café 😀
room.topic = changed
events # 526
events[-1].event_type = swp.room.create
events[-1].content.imported = true
events[*].sender_id = [' . CORE::join(',', ('"zoe"') x 526) . ']
events[*].do_not_index = [' . CORE::join(',', ('true') x 525) . ']'



=== TEST 14: ... authors, contents, times, order and references are the same
--- request
GET /v1/rooms/{{made}}/export
--- more_headers eval: ::as('zoe@east')
--- response_body_filters eval: \&::history
--- response_body eval
'{{history}}'



=== TEST 15: ... so are media, and every byte of them
--- request
GET /v1/rooms/{{made}}/export
--- more_headers eval: ::as('zoe@east')
--- response_body_filters eval: \&::contents
--- response_body eval
'{{contents}}'



=== TEST 16: that bundle
--- request
GET /v1/rooms/{{made}}/export
--- more_headers eval: ::as('zoe@east')
--- capture
zip2: (?s)\A.*\z



=== TEST 17: there are as many reactions, and none is the importer's
--- request
GET /v1/rooms/{{made}}/messages?direction=forward&limit=100
--- more_headers eval: ::as('zoe@east')
--- response_body_filters eval: \&::reactions
--- response_body eval
"3:61=1 4:61=2 4:62=1 6:1f44d=2"



=== TEST 18: the message with most of them
--- calls
zoe@east GET /v1/rooms/{{made}}/messages?direction=forward -> 200
    save edited: json data[4].id
    data[4].content.body = version 3



=== TEST 19: the importer can't take them back
--- request eval
["DELETE /v1/rooms/{{made}}/events/{{edited}}/reaction\n{\"emoji\": \"a\"}",
 "GET /v1/rooms/{{made}}/messages?direction=forward&limit=100"]
--- more_headers eval: ::as('zoe@east')
--- error_code eval
[200, 200]
--- response_body_filters eval
[[sub { '' }], [\&::reactions]]
--- response_body eval
['', "3:61=1 4:61=2 4:62=1 6:1f44d=2"]



=== TEST 20: ... but may react besides
--- request eval
["POST /v1/rooms/{{made}}/events/{{edited}}/reaction\n{\"emoji\": \"a\"}",
 "GET /v1/rooms/{{made}}/messages?direction=forward&limit=100"]
--- more_headers eval: ::as('zoe@east')
--- error_code eval
[200, 200]
--- response_body_filters eval
[[sub { '' }], [\&::reactions]]
--- response_body eval
['', "3:61=1 4:61=3* 4:62=1 6:1f44d=2"]



=== TEST 21: the bundle with that reaction
--- request
GET /v1/rooms/{{made}}/export
--- more_headers eval: ::as('zoe@east')
--- capture
zip3: (?s)\A.*\z



=== TEST 22: ... which comes along, too
--- request eval
::imports('{{zip3}}')
--- more_headers eval: ::form_of('zoe@east')
--- error_code: 201
--- capture
both: json data.id



=== TEST 23: ... and counts as the others do
--- request
GET /v1/rooms/{{both}}/messages?direction=forward&limit=100
--- more_headers eval: ::as('zoe@east')
--- response_body_filters eval: \&::reactions
--- response_body eval
"3:61=1 4:61=3 4:62=1 6:1f44d=2"



=== TEST 24: one's own is taken back, once
--- request eval
[("DELETE /v1/rooms/{{made}}/events/{{edited}}/reaction\n{\"emoji\": \"a\"}") x 2,
 "GET /v1/rooms/{{made}}/messages?direction=forward&limit=100"]
--- more_headers eval: ::as('zoe@east')
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[[sub { '' }], [sub { '' }], [\&::reactions]]
--- response_body eval
['', '', "3:61=1 4:61=2 4:62=1 6:1f44d=2"]



=== TEST 25: a redaction wipes imported ones
--- request eval
["POST /v1/rooms/{{made}}/events/{{edited}}/redact\n{}",
 "GET /v1/rooms/{{made}}/messages?direction=forward&limit=100"]
--- more_headers eval: ::as('zoe@east')
--- error_code eval
[200, 200]
--- response_body_filters eval
[[sub { '' }], [\&::reactions]]
--- response_body eval
['', "3:61=1 6:1f44d=2"]



=== TEST 26: a third time, with the creation of the second
--- request eval
::imports('{{zip2}}')
--- more_headers eval: ::form_of('zoe@east')
--- error_code: 201
--- capture
third: json data.id
--- json
data.events_imported = 526



=== TEST 27: an author from before the first import stays
--- request
GET /v1/rooms/{{third}}/export
--- more_headers eval: ::as('zoe@east')
--- response_body_filters eval: \&::manifest
--- json
events[1].content._imported_sender.fqid = @ann:both.example
events[4].content._imported_sender.fqid = @bob:both.example



=== TEST 28: ... and there are as many reactions
--- request
GET /v1/rooms/{{third}}/messages?direction=forward&limit=100
--- more_headers eval: ::as('zoe@east')
--- response_body_filters eval: \&::reactions
--- response_body eval
"3:61=1 4:61=2 4:62=1 6:1f44d=2"



=== TEST 29: packed again in another order
--- request eval
::imports('{{repacked}}')
--- more_headers eval: ::form_of('zoe@east')
--- error_code: 201
--- json
data.events_imported = 525
data.media_imported = 3



=== TEST 30: unpacked and packed again by Python
--- skip_eval: 3: !::has_python()
--- request eval
::imports('{{python}}')
--- more_headers eval: ::form_of('zoe@east')
--- error_code: 201
--- json
data.events_imported = 525
data.media_imported = 3



=== TEST 31: a DM
--- calls
ann POST /v1/rooms/dm {"participant_id": "bob"} -> 201
    save dm: json data.id



=== TEST 32: ... with a message
--- calls
bob POST /v1/rooms/{{dm}}/send {"content": {"body": "hi"}} -> 201



=== TEST 33: ... that is exported
--- request
GET /v1/rooms/{{dm}}/export
--- more_headers eval: ::as('ann')
--- capture
zip: (?s)\A.*\z



=== TEST 34: ... and imported
--- request eval
::imports('{{zip}}')
--- more_headers eval: ::form_of('zoe@east')
--- error_code: 201
--- capture
group: json data.id



=== TEST 35: ... becomes a group
--- calls
zoe@east GET /v1/rooms/{{group}} -> 200
    data.room_type = group
