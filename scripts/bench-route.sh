#!/usr/bin/env bash
# bench-route.sh runs the benchmark of the router's commonest work, one field
# of a row of the fourth layer, and ends with RESULT lines.
set -euo pipefail

go test -run '^$' -bench '^BenchmarkFieldChange$' -benchmem ./internal/route | awk '
	{ print }
	function metric(unit,  i) { for (i = 2; i <= NF; i++) if ($i == unit) return $(i - 1) }
	/\/anchors=10(-[0-9]+)?[ \t]/ { few = metric("changes/s"); allocs = metric("allocs/op") }
	/\/anchors=10000(-[0-9]+)?[ \t]/ { many = metric("changes/s") }
	END {
		if (!few || !many) exit 1
		printf "RESULT route.changes_per_s_core %.0f changes/s\n", many
		printf "RESULT route.ratio_10000_to_10_anchors %.2f ratio\n", many / few
		printf "RESULT route.allocs_per_change %d allocs\n", allocs
	}'
