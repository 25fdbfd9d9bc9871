#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test.sh: everything that says whether the tree is sound, once: pages (types, unit tests, in a browser), units and corpora under ASan and UBSan, scenarios
# against the release build (that is what people run). Goes on after a failure, so that one look shows them all; the last line counts.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs="${JOBS:-$(nproc)}"
reports=() out=build/reports
mkdir -p "$out" && rm -f "$out"/*

part() { printf '\n== %s\n' "$*"; }
# A part that ends with "N passed, N failed" counts so; any other is one pass or one failure.
count() { # NAME COMMAND...
    local name="$1" log="$out/part.log" status=0 closing
    shift
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    closing=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    if [ -n "$closing" ]; then
        set -- ${closing//,/ }
        # A crash after the last claim: no claim failed, but the part did.
        reports+=("$name=$1,$([ "$status" -ne 0 ] && [ "$3" -eq 0 ] && echo 1 || echo "$3"),0")
    elif [ "$status" -eq 0 ]; then
        reports+=("$name=1,0,0")
    else
        reports+=("$name=0,1,0")
    fi
}
run_ctest() { # NAME BUILD-DIR CTEST-ARGUMENTS...
    local name="$1" dir="$2"
    shift 2
    rm -f "$out/$name.xml"
    ctest --test-dir "$dir" --output-on-failure --no-tests=error --output-junit "$PWD/$out/$name.xml" --test-output-size-passed 10000000 \
        --test-output-size-failed 10000000 -j "$jobs" "$@"
    reports+=("$out/$name.xml")
}
build() { # PRESET
    cmake --preset "$1" > "$out/configure-$1.log" 2>&1 || { cat "$out/configure-$1.log"; return 1; }
    ninja -C "$([ "$1" = release ] && echo build || echo "build/$1")" -j "$jobs"
}

part pages
if [ -f ui/package.json ]; then
    count "pages: build" make --no-print-directory ui
    (cd ui && npx --no-install vitest run --reporter=default --reporter=junit --outputFile.junit="../$out/ui.xml")
    reports+=("$out/ui.xml")
    count "pages: types" npm --prefix ui run --silent typecheck
fi

part release build
count "build: release" build release
part asan build
count "build: asan" build asan

part units, corpora and house rules, with address and undefined behaviour sanitizers
run_ctest asan build/asan -L '^(unit|fuzz-corpus|house)$'
part scenarios, against the release build
run_ctest scenario build -L '^(scenario|example|torture|sim)$' -j 1
if [ -f ui/test/e2e/run.mjs ]; then
    part pages in a browser, over their mock
    count "pages: in a browser" npm --prefix ui run --silent e2e
fi

part total
exec scripts/tally.py "${reports[@]}"
