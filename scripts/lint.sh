#!/usr/bin/env bash
# lint.sh LINTER runs golangci-lint and go vet in every Go module of the
# repository, and checks that its go.mod is tidy.
set -uo pipefail

linter=$(realpath "$1")
config=$(realpath .golangci.yml)
status=0
while read -r mod; do
	dir=$(dirname "$mod")
	echo "lint $dir"
	(cd "$dir" && go mod tidy -diff && go vet ./... && "$linter" run --config "$config" ./...) || status=1
done < <(find . -name go.mod -not -path '*/node_modules/*' -not -path '*/testdata/*')
exit "$status"
