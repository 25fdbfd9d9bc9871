#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# longest.sh: the ten longest functions and files of src/. Fails beyond 150 lines a function and 1,000 a file: far above what we aim at (80 and
# 600), so that only what got out of hand stops a build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
most_function="${LONGEST_FUNCTION:-150}" most_file="${LONGEST_FILE:-1000}"
# In this house a body begins with "{" alone in the first column and ends with "}" there; the line before names it.
functions=$(find src -name '*.c' -print0 | xargs -0 awk '
FNR == 1 { begin = 0; head = "" }
/^{/ { begin = FNR; name = head }
/^}/ && begin { printf "%5d %s:%d %s\n", FNR - begin + 1, FILENAME, begin, name; begin = 0 }
/^[A-Za-z].*\(/ { head = $0; sub(/\(.*/, "", head); sub(/.*[ *]/, "", head) }' | sort -rn)
files=$(find src -name '*.c' -print0 | xargs -0 wc -l | grep -v ' total$' | sort -rn)
echo "longest functions"; head -n 10 <<< "$functions"
echo "longest files"; head -n 10 <<< "$files"
over=$(awk -v most="$most_function" '$1 > most' <<< "$functions"; awk -v most="$most_file" '$1 > most' <<< "$files")
[ -z "$over" ] || { printf 'too long:\n%s\n' "$over"; exit 1; }
