#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# layers.sh [ROOT]: every include of src/ against src/LAYERS, and every outside library behind its one door. Prints what breaks the rules.
set -euo pipefail
root="${1:-$(dirname "${BASH_SOURCE[0]}")/..}"
cd "$root/src"
wrong=$(grep -rnoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]+[">]' --include='*.[ch]' --include='*.def' . | sed 's|^\./||' | awk '
BEGIN {
	while ((getline line < "LAYERS") > 0) {
		if (line ~ /^#/ || line !~ /:/)
			continue
		split(line, part, ":")
		known[part[1]] = 1
		may[part[1], part[1]] = 1
		n = split(part[2], used, " ")
		for (i = 1; i <= n; i++)
			may[part[1], used[i]] = 1
	}
	# library header => where it may be included
	door["^uv\\.h$"] = "^loop/"
	door["^sys/(epoll|inotify)\\.h$"] = "^(loop|http)/"
	door["^(seccomp|linux/landlock|linux/seccomp)\\.h$"] = "^loop/"
	door["^curl/"] = "^http/"
	door["^nghttp2/"] = "^http/h2_session"
	door["^microhttpd\\.h$"] = "^http/server"
	door["^sqlite3\\.h$"] = "^store/sqlite"
	door["^libpq-fe\\.h$"] = "^store/pg"
	door["^libfyaml\\.h$"] = "^flow/"
	door["^(JavaScriptCore|jsc)/"] = "^script/(worker|jsc)"
	door["^libxml/"] = "^call/content_xml"
	door["^(zlib\\.h|zstd\\.h|brotli/)"] = "^(http/decode|store/sql_codec)"
}
{
	split($0, at, ":")
	file = at[1]
	layer = file
	sub(/\/.*/, "", layer)
	included = $0
	sub(/^[^"<]*["<]/, "", included)
	sub(/[">]$/, "", included)
	if ($0 ~ /"$/) {
		target = included
		if (!sub(/\/.*/, "", target))
			print file ":" at[2] ": \"" included "\" is not written from src/"
		else if (!(target in known))
			print file ":" at[2] ": \"" included "\": no layer \"" target "\" in src/LAYERS"
		else if (!((layer, target) in may))
			print file ":" at[2] ": " layer " may not use " target " (" included ")"
		else if (included ~ /_int\.h$/ && target != layer)
			print file ":" at[2] ": " included " is private to " target
	}
	for (d in door)
		if (included ~ d && file !~ door[d])
			print file ":" at[2] ": <" included "> has another door (" door[d] ")"
}')
[ -z "$wrong" ] || printf '%s\n' "$wrong"
echo "layers: $(printf '%s' "$wrong" | grep -c '' || true) includes against the rules"
[ -z "$wrong" ]
