#!/usr/bin/env bash
# bench-route.sh runs the benchmarks of the router's commonest work, one field
# of a row of the fourth layer, and of inserts beside many lists, and ends with
# RESULT lines.
set -euo pipefail

go test -run '^$' -bench '^Benchmark(FieldChange|Lists)$' -benchmem ./internal/route | awk '
	{ print }
	function metric(unit,  i) { for (i = 2; i <= NF; i++) if ($i == unit) return $(i - 1) }
	/\/anchors=10(-[0-9]+)?[ \t]/ { few = metric("changes/s"); allocs = metric("allocs/op") }
	/\/anchors=10000(-[0-9]+)?[ \t]/ { many = metric("changes/s") }
	/\/entries\/lists=10(-[0-9]+)?[ \t]/ { fewLists = metric("ns/op") }
	/\/entries\/lists=10000(-[0-9]+)?[ \t]/ { manyLists = metric("ns/op"); listAllocs = metric("allocs/op") }
	END {
		if (!few || !many || !fewLists || !manyLists) exit 1
		printf "RESULT route.changes_per_s_core %.0f changes/s\n", many
		printf "RESULT route.ratio_10000_to_10_anchors %.2f ratio\n", many / few
		printf "RESULT route.allocs_per_change %d allocs\n", allocs
		printf "RESULT route.lists_insert_ns.10 %.0f ns\n", fewLists
		printf "RESULT route.lists_insert_ns.10000 %.0f ns\n", manyLists
		printf "RESULT route.lists_insert_ratio %.2f ratio\n", manyLists / fewLists
		printf "RESULT route.lists_allocs_per_insert %d allocs\n", listAllocs
	}'
