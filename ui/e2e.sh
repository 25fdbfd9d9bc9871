#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The page tests against a running server that has the weather example: ui/e2e.sh http://127.0.0.1:8080
# Without an address: against the build over the mock. ctest calls this.
set -eu
cd "$(dirname "$0")"
if [ ! -d node_modules/playwright-core ]; then
	echo "e2e.sh: node_modules is missing; run 'npm ci' in ui/ first" >&2
	exit 2
fi
if [ $# -gt 0 ]; then
	WEIR_URL=$1
	export WEIR_URL
fi
exec node test/e2e/run.mjs
