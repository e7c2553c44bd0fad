#!/usr/bin/env bash
# need.sh checks that Go and Node are there and new enough, and says where to
# find them when not.
set -uo pipefail

# at_least HAVE WANT compares dotted versions.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

failed=0
# check NAME VERSION WANT HINT
check() {
	if [ -z "$2" ]; then
		echo "$1 is missing: Pando needs $1 $3 or later. $4" >&2
		failed=1
	elif ! at_least "$2" "$3"; then
		echo "$1 $2 is too old: Pando needs $1 $3 or later. $4" >&2
		failed=1
	fi
}

go_version=$(go version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p')
node_version=$(node --version 2>/dev/null | sed 's/^v//')

check Go "$go_version" 1.26 "Take it from https://go.dev/dl/ and put its bin folder first in PATH."
check Node "$node_version" 20.19 "Take it from https://nodejs.org/en/download and put its bin folder first in PATH."
if [ -n "$node_version" ] && ! command -v npm >/dev/null; then
	echo "npm is missing: it comes with Node from https://nodejs.org/en/download." >&2
	failed=1
fi
exit "$failed"
