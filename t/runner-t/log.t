# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The error log, the access log, configurations that nginx must refuse, and
# blocks that are left out.

use Test::Nginx::Socket;

repeat_each(2);
no_shuffle();
log_level('info');

plan tests => repeat_each() * 53 + 2;

run_tests();

__DATA__

=== TEST 1: lines in the error log: 1 + 1 + 2 + 2
--- config
location = /missing.txt { root html; }
--- request
GET /missing.txt
--- error_code: 404
--- response_body_like: 404 Not Found
--- error_log
open()
failed (2: No such file or directory)
--- no_error_log
[alert]
[emerg]



=== TEST 2: what another block did is not seen: 2 + 2
--- config
location = /missing.txt { root html; }
--- request
GET /
--- response_body_like: It works!
--- no_error_log
[error]
open()



=== TEST 3: regexes: 2 + 2 + 1
--- config
location = /missing.txt { root html; }
--- request
GET /missing.txt
--- error_code: 404
--- response_body_like: 404
--- error_log eval
[qr/\[error\] .*? "\S+missing\.txt" failed/, "client: 127.0.0.1"]
--- no_error_log eval
qr/\[crit\].*nothing/



=== TEST 4: with two requests each looks at its own part: 4 + 2
--- config
location = /missing.txt { root html; }
--- request eval
["GET /missing.txt", "GET /missing.txt"]
--- error_code eval
[404, 404]
--- response_body_like eval
["404", "404"]
--- error_log
missing.txt" failed



=== TEST 5: grep: 1 + 1
--- config
location = /missing.txt { root html; }
--- request
GET /missing.txt
--- error_code: 404
--- grep_error_log eval
qr/open\(\) "[^"]*?missing/
--- grep_error_log_out eval
qr/^open\(\) ".*missing\n$/



=== TEST 6: grep, by the run: 1 + 1
--- config
location = /missing.txt { root html; }
--- request
GET /missing.txt
--- error_code: 404
--- grep_error_log: No such file
--- grep_error_log_out eval
["No such file\n", "No such file\n"]



=== TEST 7: grep for what is not there: 1 + 1
--- config
location = /t { return 204; }
--- request
GET /t
--- error_code: 204
--- grep_error_log: No such file
--- grep_error_log_out



=== TEST 8: nginx must refuse this: 1 + 1
--- config
no_such_directive on;
--- request
GET /t
--- must_die
--- error_log
unknown directive "no_such_directive"
--- suppress_stderr



=== TEST 9: and this, with a known exit code: 1 + 1 + 1
--- http_config
client_max_body_size x;
--- config
--- request
GET /t
--- must_die: 1
--- error_log eval
[qr/\[emerg\] .*invalid value/]
--- no_error_log
[alert]
--- suppress_stderr



=== TEST 10: afterwards all is well: 1 + 1
--- config
location = /t { return 200 "ok"; }
--- request
GET /t
--- response_body: ok



=== TEST 11: left out: 0
--- config
--- request
GET /nothing
--- SKIP



=== TEST 12: skipped by version: 3
--- config
--- request
GET /nothing
--- error_log
never
--- response_body: never
--- skip_nginx: 3: > 0.1.0: not for any version



=== TEST 13: not skipped by version: 2
--- config
location = /t { return 200 "ok"; }
--- request
GET /t
--- response_body: ok
--- skip_nginx: 3: < 0.1.0



=== TEST 14: skipped by code: 4
--- config
--- request
GET /nothing
--- skip_eval: 4: 1 + 1 == 2



=== TEST 15: a log level of its own: 2 + 1
--- log_level: error
--- config
location = /t { return 200 "ok"; }
--- request
GET /t
--- response_body: ok
--- no_error_log
[notice]



=== TEST 16: the access log: 2 + 1 + 1
--- config
location = /acc { return 200 "ok"; }
--- request
GET /acc
--- response_body: ok
--- access_log
"GET /acc HTTP/1.1" 200
--- no_access_log
"GET /other



=== TEST 17: at shutdown, which is once for both runs: 2, and 1 + 1
--- config
location = /t { return 200 "ok"; }
--- request
GET /t
--- response_body: ok
--- shutdown_error_log
(SIGQUIT) received
--- no_shutdown_error_log
[alert]



=== TEST 18: todo: 1
--- config
--- request
GET /nothing
--- todo
1: later
