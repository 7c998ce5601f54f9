# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# SCIM 2.0 Users: the examples of RFC 7644 and RFC 7643, and what Okta and
# Entra ID send.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::HTTP qw(http_req);
use RoomsTest::Process qw(find_program slurp wait_for);

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-scim-XXXXXXXX', TMPDIR => 1);
my $token = 'a-token-of-the-identity-provider';
my $user = 'urn:ietf:params:scim:schemas:core:2.0:User';
my $patch = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
my $enterprise
    = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
my $long = 60 * patience();

sub tokens {
    open my $out, '>', "$dir/tokens" or die "$!\n";
    print $out join "\n", @_, '';
    close $out or die "$!\n";
}

tokens('# of the provider', '', $token, 'another-token-that-is-new');

my $config = <<"END";
        rooms_tenant acme;
        rooms_scim_token_file $dir/tokens;
END

start($config, workers => 2);
known('bob');

sub scim {
    my ($method, $path, $body, %headers) = @_;
    my $with = delete $headers{token} // $token;
    my ($status, $headers, $text) =
        @{http_req($method, "/scim/v2/$path", $with,
                   ref $body ? $json->encode($body) : $body,
                   'Content-Type' => 'application/scim+json', %headers)};
    my $data = $text ne '' ? eval { $json->decode($text) } : undef;

    fail("$method $path: no JSON: $text") if $text ne '' && !$data;

    return { status => $status, headers => $headers, data => $data,
             text => $text };
}

# One test: a status, and of an error its scimType.
sub answers {
    my ($want, @call) = @_;
    my ($status, $type) = split ' ', $want;
    my $res = scim(@call);
    my @bad;

    push @bad, "status $res->{status}" if $res->{status} != $status;

    if ($status >= 400 && $res->{data}) {
        push @bad, 'schemas' if "@{$res->{data}{schemas} || []}"
            ne 'urn:ietf:params:scim:api:messages:2.0:Error';
        push @bad, 'the status in the body'
            if ($res->{data}{status} // '') ne "$status";
        push @bad, 'no detail' if ($res->{data}{detail} // '') eq '';
        push @bad, 'scimType ' . ($res->{data}{scimType} // '-')
            if ($res->{data}{scimType} // '') ne ($type // '');
    }

    push @bad, 'Content-Type ' . ($res->{headers}{'content-type'} // '-')
        if $status != 204
           && ($res->{headers}{'content-type'} // '')
              ne 'application/scim+json';
    push @bad, 'no X-Request-Id' if !$res->{headers}{'x-request-id'};

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok(!@bad, "$call[0] $call[1] -> $want")
        || diag(join(', ', @bad), "\n", $res->{text});

    return $res;
}

# Who may ask

answers('401', 'GET', 'Users', undef, token => 'wrong-token-of-nobody');
answers('401', 'GET', 'Users', undef, token => substr($token, 0, -1));
answers('401', 'GET', 'Users', undef, token => "${token}x");
answers('401', 'GET', 'Users', undef, token => 'mock:root@acme:admin');
answers('401', 'GET', 'Users', undef, token => '# of the provider');
answers('200', 'GET', 'Users', undef, token => 'another-token-that-is-new');

# What it is

my $config_said = answers('200', 'GET', 'ServiceProviderConfig')->{data};

is_deeply([map { $config_said->{$_}{supported} ? 1 : 0 }
               qw(patch bulk filter changePassword sort etag)],
          [1, 0, 1, 0, 0, 1], 'what is supported');
is(answers('200', 'GET', 'ResourceTypes')->{data}{Resources}[0]{endpoint},
   '/Users', 'resource types');
is(answers('200', 'GET', 'ResourceTypes/User')->{data}{schema}, $user,
   'a resource type');
answers('404', 'GET', 'ResourceTypes/Group');
is(answers('200', 'GET', 'Schemas')->{data}{Resources}[0]{id}, $user,
   'schemas');
is(answers('200', 'GET', "Schemas/$user")->{data}{attributes}[0]{name},
   'userName', 'a schema');
answers('404', 'GET', 'Schemas/urn:x');

my $none = answers('200', 'GET', 'Users')->{data};

is_deeply([@$none{qw(totalResults startIndex itemsPerPage)}], [0, 1, 0],
          'nobody yet: who came by a token is no User');

# RFC 7644, section 3.3: creating a resource

my $made = answers('201', 'POST', 'Users',
                   { schemas => [$user], userName => 'bjensen',
                     externalId => 'bjensen',
                     name => { formatted => 'Ms. Barbara J Jensen III',
                               familyName => 'Jensen',
                               givenName => 'Barbara' } });

is($made->{data}{id}, 'bjensen', 'the externalId is the id');
is($made->{data}{meta}{resourceType}, 'User', 'its type');
like($made->{data}{meta}{created}, qr/^20.*Z$/, '... when it was made');
like($made->{data}{meta}{version}, qr/^W\/"/, '... its version');
is($made->{headers}{location}, $made->{data}{meta}{location}, 'Location');
is($made->{headers}{etag}, $made->{data}{meta}{version}, 'ETag');
like($made->{data}{meta}{location}, qr{^http://[^/]+/scim/v2/Users/bjensen$},
     'a whole URL');

my $row = must('GET', '/v1/participants/bjensen', 'bob');

is($row->{display_name}, 'Ms. Barbara J Jensen III', 'a participant');
is($row->{deactivated}, JSON::PP::false(), 'who is active');
expect('201', 'POST', '/v1/rooms/dm', 'bob',
       { participant_id => 'bjensen' });

answers('409 uniqueness', 'POST', 'Users',
        { schemas => [$user], userName => 'BJensen', externalId => 'other' });
answers('409 uniqueness', 'POST', 'Users',
        { schemas => [$user], userName => 'other', externalId => 'bjensen' });
answers('400 invalidValue', 'POST', 'Users', { schemas => [$user] });
answers('400 invalidValue', 'POST', 'Users',
        { userName => 'x', externalId => '@x:rooms.test' });
answers('400 invalidValue', 'POST', 'Users',
        { userName => 'x', active => 'perhaps' });
answers('400 invalidSyntax', 'POST', 'Users', '{"userName":');
answers('400 invalidSyntax', 'POST', 'Users', '[]');

# RFC 7644, section 3.4.1, 3.4.2.2

is(answers('200', 'GET', 'Users/bjensen')->{data}{name}{familyName},
   'Jensen', 'one is read');
answers('404', 'GET', 'Users/nobody');
answers('404', 'GET', 'Users/bob');
is(scim('GET', 'Users/bjensen', undef,
        'If-None-Match' => $made->{data}{meta}{version})->{status}, 304,
   'not modified');

sub found {
    my ($filter) = @_;
    my $escaped = $filter =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
    my $res = answers('200', 'GET', "Users?filter=$escaped");

    return join ' ', $res->{data}{totalResults},
           map { $_->{id} } @{$res->{data}{Resources}};
}

is(found('userName eq "bjensen"'), '1 bjensen', 'by userName');
is(found('userName Eq "BJENSEN"'), '1 bjensen', '... in any case');
is(found("$user:userName eq \"bjensen\""), '1 bjensen', '... with its URI');
is(found('externalId eq "bjensen"'), '1 bjensen', 'by externalId');
is(found('externalId eq "Bjensen"'), '0', '... which is exact');
is(found('id eq "bjensen"'), '1 bjensen', 'by id');
is(found('userName eq "nobody"'), '0', 'nobody');
is(found('userName eq "bjensen" and name.familyName co "ens"'),
   '1 bjensen', 'and more');
is(found('name.familyName sw "X" and userName eq "bjensen"'), '0',
   'and not');
answers('400 invalidFilter', 'GET', 'Users?filter=userName%20eq');
answers('400 invalidFilter', 'GET', 'Users?filter=title%20pr');
answers('400 invalidFilter', 'GET',
        'Users?filter=userName%20eq%20%22a%22%20or%20title%20pr');
answers('400 invalidValue', 'GET', 'Users?count=x');

# RFC 7644, section 3.5.1: replacing

my $put = { schemas => [$user], id => 'another', userName => 'bjensen',
            externalId => 'bjensen',
            name => { formatted => 'Ms. Barbara J Jensen III',
                      familyName => 'Jensen', givenName => 'Barbara',
                      middleName => 'Jane' },
            roles => [], emails => [{ value => 'bjensen@example.com' },
                                    { value => 'babs@jensen.org' }] };
my $replaced = answers('200', 'PUT', 'Users/bjensen', $put)->{data};

is($replaced->{id}, 'bjensen', 'what is the server\'s own stays');
is($replaced->{name}{middleName}, 'Jane', 'it is replaced');
isnt($replaced->{meta}{version}, $made->{data}{meta}{version},
     '... by another version');
is($replaced->{meta}{created}, $made->{data}{meta}{created},
   '... of the same');
is(found('emails.value eq "BJensen@example.com"'), '1 bjensen', 'by address');
is(found('emails[value eq "bjensen@example.com"]'), '1 bjensen',
   '... in brackets');
answers('404', 'PUT', 'Users/nobody', $put);
answers('412', 'PUT', 'Users/bjensen', $put,
        'If-Match' => $made->{data}{meta}{version});
answers('200', 'PUT', 'Users/bjensen', $put,
        'If-Match' => $replaced->{meta}{version});

# RFC 7644, section 3.14, with the lists of RFC 9110, section 13.1.1

for my $case (
    [200, '*'], [200, '%s'], [200, 'W/"x", %s'], [200, '"x",%s ,"y"'],
    [200, '"a, b", %s'], [200, qq("x",\t%s)], [200, '%s' => sub { s/^W\///r }],
    [412, '"x"'], [412, '"x", W/"y"'], [412, ''], [412, '"%s"'],
    [412, 'x%s'], [412, '"x" y, %s'], [412, '%s' => sub { s/"\z//r }],
) {
    my ($want, $form, $change) = @$case;

    for my $row (['PUT', $put],
                 ['PATCH', { schemas => [$patch], Operations => [
                     { op => 'replace', path => 'title',
                       value => 'T' . rand }] }])
    {
        local $_ = answers('200', 'GET', 'Users/bjensen')
                   ->{data}{meta}{version};

        my $version = $change ? $change->() : $_;

        answers($want, $row->[0], 'Users/bjensen', $row->[1],
                'If-Match' => $form =~ s/%s/$version/r);
    }
}

answers('412', 'DELETE', 'Users/bjensen', undef, 'If-Match' => '"x"');
answers('412', 'GET', 'Users/bjensen', undef, 'If-Match' => '"x"');
answers('409 uniqueness', 'POST', 'Users',
        { schemas => [$user], userName => 'bjensen', externalId => 'other' },
        'If-Match' => '"x"');

# RFC 7644, section 3.5.2: its examples of PATCH

sub patched {
    my (@ops) = @_;

    return answers('200', 'PATCH', 'Users/bjensen',
                   { schemas => [$patch], Operations => \@ops })->{data};
}

my $data = patched({ op => 'add', value => {
    emails => [{ value => 'babs@jensen.org', type => 'home' }],
    nickname => 'Babs' } });

is($data->{nickName}, 'Babs', 'added without a path');
is(scalar @{$data->{emails}}, 3, '... to many values');

$data = patched({ op => 'replace', path => 'emails[type eq "home"].value',
                  value => 'babs@jensen.example' });
is((grep { ($_->{type} // '') eq 'home' } @{$data->{emails}})[0]{value},
   'babs@jensen.example', 'one of them is replaced');

$data = patched({ op => 'remove',
                  path => 'emails[type eq "home" and value ew '
                          . '"jensen.example"]' });
is(scalar @{$data->{emails}}, 2, '... and removed');

$data = patched({ op => 'add', path => 'addresses', value => [{
    type => 'work', streetAddress => '911 Universal City Plaza',
    locality => 'Hollywood', region => 'CA', postalCode => '91608',
    country => 'US' }] });
$data = patched({ op => 'replace', path => 'addresses[type eq "work"]',
                  value => { streetAddress => '912 Universal City Plaza' } });
is($data->{addresses}[0]{streetAddress}, '912 Universal City Plaza',
   'a complex value');
$data = patched({ op => 'replace',
                  path => 'addresses[type eq "work"].streetAddress',
                  value => '1010 Broadway Ave' });
is($data->{addresses}[0]{streetAddress}, '1010 Broadway Ave',
   '... and a part of it');
is($data->{addresses}[0]{locality}, 'Hollywood', '... the others stay');

$data = patched({ op => 'remove', path => 'emails' },
                { op => 'add', path => 'name.familyName', value => 'Smith' });
ok(!exists $data->{emails}, 'all of them');
is($data->{name}{familyName}, 'Smith', 'a sub-attribute');

answers('400 noTarget', 'PATCH', 'Users/bjensen',
        { Operations => [{ op => 'remove' }] });
answers('400 invalidPath', 'PATCH', 'Users/bjensen',
        { Operations => [{ op => 'add', path => 'a[b', value => 1 }] });
answers('400 invalidSyntax', 'PATCH', 'Users/bjensen',
        { Operations => [{ op => 'move', path => 'x' }] });
answers('400 invalidSyntax', 'PATCH', 'Users/bjensen', {});
answers('400 invalidValue', 'PATCH', 'Users/bjensen',
        { Operations => [{ op => 'replace', path => 'active',
                           value => 'x' }] });
answers('404', 'PATCH', 'Users/nobody',
        { Operations => [{ op => 'replace', path => 'active',
                           value => JSON::PP::false() }] });

# As Entra ID sends it

answers('201', 'POST', 'Users',
        { schemas => [$user, $enterprise], externalId => 'oid-1',
          userName => 'ada@contoso.example', active => 'True',
          displayName => 'Ada L', emails => [{ primary => JSON::PP::true(),
              type => 'work', value => 'ada@contoso.example' }],
          name => { formatted => 'Ada', familyName => 'L' },
          $enterprise => { department => 'R&D' } });
is(must('GET', '/v1/participants/oid-1', 'bob')->{display_name}, 'Ada L',
   'displayName goes first');

my $entra = answers('200', 'PATCH', 'Users/oid-1',
    { schemas => [$patch], Operations => [
        { op => 'Replace', path => 'displayName', value => 'Ada Lovelace' },
        { op => 'Replace', path => 'emails[type eq "work"].value',
          value => 'lovelace@contoso.example' },
        { op => 'Add', path => 'phoneNumbers[type eq "mobile"].value',
          value => '+44' },
        { op => 'Add', path => "$enterprise:department", value => 'Math' },
        { op => 'Replace', value => { 'name.givenName' => 'Ada',
              "$enterprise:costCenter" => '7' } } ] })->{data};

is($entra->{emails}[0]{value}, 'lovelace@contoso.example', 'an address');
is_deeply($entra->{phoneNumbers}, [{ type => 'mobile', value => '+44' }],
          'what wasn\'t there is made');
is_deeply($entra->{$enterprise}, { department => 'Math', costCenter => '7' },
          'the extension');
is($entra->{name}{givenName}, 'Ada', 'a path as a name');
is(must('GET', '/v1/participants/oid-1', 'bob')->{display_name},
   'Ada Lovelace', 'the participant is renamed');
like("@{redis('ZRANGE', key('words:people'), 0, -1)}",
     qr/=lovelace\@contoso.example oid-1/, 'and found by the address');

my $room = make(group => 'bob', name => 'Room');

admit($room, 'bob', 'oid-1');

for my $off ([{ op => 'Replace', path => 'active', value => 'False' }],
             [{ op => 'Replace', value => { active => 'False' } }],
             [{ op => 'replace', value => { active => JSON::PP::false() } }])
{
    my $res = answers('200', 'PATCH', 'Users/oid-1',
                      { schemas => [$patch], Operations => $off });

    is($res->{data}{active}, JSON::PP::false(), 'not active');
    ok(must('GET', '/v1/participants/oid-1', 'bob')->{deactivated},
       'and deactivated');
    expect('403 SW_PARTICIPANT_DEACTIVATED', 'POST', '/v1/rooms', 'oid-1',
           { room_type => 'group', name => 'x' });
    wait_for($long, sub { my %in = who_is($room); !$in{'oid-1'} });

    my %in = who_is($room);

    ok(!$in{'oid-1'}, 'and out of the room');

    # as Okta sends it
    $res = answers('200', 'PATCH', 'Users/oid-1',
                   { schemas => [$patch], Operations => [
                       { op => 'replace',
                         value => { active => JSON::PP::true() } }] });
    ok(!must('GET', '/v1/participants/oid-1', 'bob')->{deactivated},
       'and back');
    admit($room, 'bob', 'oid-1');
}

# DELETE deactivates, and the User is gone

answers('204', 'DELETE', 'Users/oid-1');
answers('404', 'GET', 'Users/oid-1');
answers('404', 'DELETE', 'Users/oid-1');
is(found('userName eq "ada@contoso.example"'), '0', 'nor is it found');
ok(must('GET', '/v1/participants/oid-1', 'bob')->{deactivated},
   'the participant is deactivated');
answers('201', 'POST', 'Users',
        { userName => 'ada@contoso.example', externalId => 'oid-1' });
ok(!must('GET', '/v1/participants/oid-1', 'bob')->{deactivated},
   'and comes back with the User');

# Pages

answers('201', 'POST', 'Users', { userName => "user$_", active => $_ % 2
                                  ? JSON::PP::true() : JSON::PP::false() })
    for 1 .. 5;

my @pages = map { scim('GET', "Users?startIndex=$_&count=3")->{data} } 1, 4, 7;

is_deeply([map { $_->{itemsPerPage} } @pages], [3, 3, 1], 'pages');
is_deeply([map { $_->{totalResults} } @pages], [7, 7, 7], '... of all');
my %ids = map { $_->{id} => 1 } map { @{$_->{Resources}} } @pages;

is(scalar(keys %ids), 7, '... each once');
is_deeply([@{scim('GET', 'Users?count=0')->{data}}
               {qw(totalResults itemsPerPage)}], [7, 0], 'count=0 counts');
is(scim('GET', 'Users?startIndex=-5&count=2')->{data}{startIndex}, 1,
   'below 1 is 1');
ok(must('GET', '/v1/participants/user2', 'bob')->{deactivated},
   'one that begins inactive');

# many at once
my @res = map { { status => $_->[0] } }
          @{RoomsTest::HTTP::http_many([map {
              ['POST', '/scim/v2/Users', $token, { userName => 'Same',
                                               externalId => "same$_" }] }
              1 .. 10], 10, 60)};

is_deeply([sort map { $_->{status} } @res], [201, (409) x 9],
          'a userName is one User\'s');

# ... also of one User: each change is whole, and the indexes follow
must('POST', '/v1/auth/register', 'bob');
answers('201', 'POST', 'Users', { userName => 'race0', externalId => 'race' });

my $before_race = redis('HLEN', key('scim:names'));

@res = @{RoomsTest::HTTP::http_many([map {
    $_ % 2 ? ['PUT', '/scim/v2/Users/race', $token,
              { userName => "race$_", displayName => "Race $_" }]
           : ['PATCH', '/scim/v2/Users/race', $token,
              { schemas => [$patch], Operations => [
                { op => 'replace', value => { userName => "race$_",
                                              displayName => "Race $_" } }] }]
    } 1 .. 20], 20, 60)};

is(scalar(grep { $_->[0] !~ /^(?:200|409)$/ } @res), 0,
   'PUT and PATCH at once: done, or refused as a conflict');
cmp_ok(scalar(grep { $_->[0] == 200 } @res), '>', 0, '... some are done');

my $raced = answers('200', 'GET', 'Users/race')->{data};
my ($which) = $raced->{userName} =~ /^race(\d+)$/;

is($raced->{displayName}, "Race $which", '... of one request alone');
is(must('GET', '/v1/participants/race', 'bob')->{display_name},
   "Race $which", '... as the participant');
is(redis('HLEN', key('scim:names')), $before_race, '... with one name');
is(redis('HGET', key('scim:names'), $raced->{userName}), 'race',
   '... its own');

# erased, nothing of it is left
must('POST', '/v1/admin/participants/oid-1/deactivate', 'root!');
must('POST', '/v1/admin/participants/oid-1/erase', 'root!');
wait_for($long, sub { must('GET', '/v1/admin/participants/oid-1/erasure',
                           'root!')->{state} eq 'done' });
is(redis('HGET', key('scim'), 'oid-1'), undef, 'erased from SCIM, too');
is(redis('HGET', key('scim:names'), 'ada@contoso.example'), undef,
   '... by its name');
is(redis('HGET', key('scim:externals'), 'oid-1'), undef, '... and id');
answers('404', 'GET', 'Users/oid-1');

my %back = (userName => 'ada@contoso.example', externalId => 'oid-1');

answers('409', 'POST', 'Users', { %back, active => JSON::PP::false() });
like(must('GET', '/v1/participants/oid-1', 'bob')->{display_name},
     qr/^erased-/, 'no name comes back as long as it is deactivated');
answers('201', 'POST', 'Users', { %back, displayName => 'Ada again' });
is(must('GET', '/v1/participants/oid-1', 'bob')->{display_name}, 'Ada again',
   '... and one does with a reactivation');

# the tokens that stand there now
tokens('another-token-that-is-new');
nginx_reload();
answers('200', 'GET', 'Users', undef, token => 'another-token-that-is-new');
answers('401', 'GET', 'Users');
stop_nginx();

done_testing();
