#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a call costs beside wrk, in the same minute: starts an nginx of its own on a loopback port, stops it afterwards.
#   bench/http.sh BENCH_HTTP [concurrency...]      BENCH_HTTP is the program made from bench/bench_http.c
set -eu
bench=$1
shift
[ $# -gt 0 ] || set -- 16 64 256
port=${PORT:-18471}
dir=$(mktemp -d)
chmod 755 "$dir"
mkdir "$dir/www"
printf '{"id":123456,"name":"Some Person","pad":"%0440d"}\n' 0 >"$dir/www/j"
cat >"$dir/nginx.conf" <<CONF
worker_processes 1; pid $dir/pid; error_log $dir/error.log;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; default_type application/json; client_body_temp_path $dir/b; proxy_temp_path $dir/p;
  fastcgi_temp_path $dir/f; uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
  server { listen 127.0.0.1:$port backlog=4096; root $dir/www; open_file_cache max=10; } }
CONF
nginx -p "$dir" -c "$dir/nginx.conf"
trap 'kill "$(cat "$dir/pid")"; rm -rf "$dir"' EXIT
url=http://127.0.0.1:$port/j
for c in "$@"; do
	"$bench" -t curl "$url" "$c" 100000
	"$bench" -t h1 "$url" "$c" 100000
	t=1
	# shell's times: user and system of wrk, against its count of requests
	bash -c 'TIMEFORMAT="%U %S"; s=$( { time wrk -t'$t' -c'"$c"' -d2 -H "Authorization: Bearer 0123456789abcdef0123456789abcdef" \
-H "X-Request-Id: 7f3c1b2a-0000-4000-8000-000000000001" -H "Accept: application/json" '"$url"' >'"$dir"'/wrk; } 2>&1 ); \
awk -v s="$s" -v c='"$c"' "/requests in/ { split(s, u, \" \"); printf \"wrk     c=%-4d %9d requests %6.2f us CPU/req\", c, \$1, (u[1] + u[2]) * 1e6 / \$1 } \
/Requests.sec/ { printf \" %9.0f req/s\\n\", \$2 }" '"$dir"'/wrk'
done
