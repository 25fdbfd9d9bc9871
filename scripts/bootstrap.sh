#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bootstrap.sh [GROUP...]: install what is missing of scripts/packages.txt (groups build run test ui bench lint; default build run), with one apt-get.
# The groups ui and test also see to a node of at least 20.19 (build/node when the machine's is older), to ui/node_modules and to tests/npm/node_modules.
# Prints nothing when all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
groups=("$@")
[ ${#groups[@]} -gt 0 ] || groups=(build run)

say() { printf '%s\n' "$*" >&2; }
die() { say "bootstrap: $*"; exit 1; }
wants() { local g; for g in "${groups[@]}"; do [ "$g" = "$1" ] && return 0; done; return 1; }
is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
node_is_new() { # vite needs 20.19, or 22.12 and later
    command -v "$1" >/dev/null || return 1
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
}

for g in "${groups[@]}"; do
    grep -q "^$g " scripts/packages.txt || die "no group '$g' (there are: $(awk '!/^#/ { print $1 }' scripts/packages.txt | uniq | tr '\n' ' '))"
done

missing=() reasons=()
while read -r group package reason; do
    case "$group" in '#'* | '') continue ;; esac
    wants "$group" || continue
    is_installed "$package" && continue
    missing+=("$package") reasons+=("  $package: $reason")
done < scripts/packages.txt
# Debian's npm brings Debian's node, which is older than vite wants but able to fetch a newer one; a machine with its own node keeps that.
if { wants ui || wants test; } && ! command -v npm >/dev/null; then
    if command -v node >/dev/null; then
        missing+=(npm) reasons+=("  npm: fetches what the pages are built from and servers to test against")
    else
        missing+=(nodejs npm) reasons+=("  nodejs, npm: build the pages, run servers to test against")
    fi
fi

if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
        die "this script knows Debian 12 only; install these by hand, then go on: ${missing[*]}"
    say "installing what is missing:"
    printf '%s\n' "${reasons[@]}" >&2
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "not root and no sudo; run as root: apt-get install -y ${missing[*]}"
        as_root=(sudo)
    fi
    # The tests start servers of their own: the package is to bring its programs, not a cluster that runs from now on.
    if [[ " ${missing[*]} " = *' postgresql '* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        "${as_root[@]}" install -d /etc/postgresql-common
        echo 'create_main_cluster = false' | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    "${as_root[@]}" apt-get -q update >&2 || say "bootstrap: apt-get update failed; trying with the lists that are here"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" >&2 ||
        die "apt-get could not install: ${missing[*]}"
fi

# npm notes in node_modules what it installed: newer than the lock file means that nothing changed.
npm_install() { # DIRECTORY WHAT
    [ ! "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] || return 0
    say "installing $2"
    # A lock file made where the registry lacks other platforms' optional packages is refused by npm ci; npm install takes its versions all the same
    # and, with --no-save, leaves it alone.
    (cd "$1" && { npm ci --no-audit --no-fund --silent || npm install --no-save --no-audit --no-fund --loglevel=error >&2; }) ||
        die "npm could not install $1/package-lock.json; is there a way to the registry?"
}

if wants ui || wants test; then
    if ! node_is_new node && ! node_is_new build/node/node_modules/node/bin/node; then
        say "node $(node --version 2>/dev/null || echo '(none)') is older than the 20.19 that the pages' build needs; fetching one into build/node"
        mkdir -p build/node
        npm install --prefix build/node --no-audit --no-fund --loglevel=error node@22 >&2 || die "npm could not fetch node@22"
        node_is_new build/node/node_modules/node/bin/node || die "the fetched node does not run; install node 20.19 or newer and try again"
    fi
    node_is_new node || PATH="$PWD/build/node/node_modules/node/bin:$PATH"
    if wants ui; then npm_install ui "what the pages are built from"; fi
    # Their packages run no scripts when they are installed (tests/npm/.npmrc): one of them would report the installation to its makers.
    if wants test; then npm_install tests/npm "servers by others that the tests call"; fi
fi
