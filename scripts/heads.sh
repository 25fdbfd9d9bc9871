#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# heads.sh: every source file of ours says under which licence it stands, within its first three lines.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
wrong=$(find src tests fuzz bench scripts cmake -type f \( -name '*.[ch]' -o -name '*.py' -o -name '*.sh' -o -name '*.cmake' -o -name '*.mjs' -o -name '*.sql' \) \
    -not -path '*/__pycache__/*' -not -path '*/node_modules/*' -print0 | xargs -0 awk 'FNR == 1 { if (file && !found) print file; file = FILENAME; found = 0 }
FNR <= 3 && /SPDX-License-Identifier: Apache-2.0/ { found = 1 } END { if (file && !found) print file }')
[ -z "$wrong" ] || { printf 'no licence line: %s\n' $wrong; exit 1; }
echo "heads: every file has its licence line"
