#!/usr/bin/env bash
# bench-route.sh measures the router: changes of a field of a row of the fourth
# layer, and inserts beside many lists. It ends with RESULT lines.
#
# A change is measured by the processor time of many short rounds, those of few
# anchors and of many in turns. What is told is what nine of ten rounds took
# longer than: another process can only slow a round, by what it does to the
# caches if not by taking the processor. The median is printed beside it.
# In .all all of the anchors are written to, so that memory is met cold. Lists
# differ in the value of an equality, windows have a limit as well; of ranges
# every change concerns all, so that what it costs for each of them is told.
set -euo pipefail

go test -run '^$' -bench '^Benchmark(Core|Lists)$' -benchtime "${ROUNDS:-60}x" -cpu 1 ./internal/route | awk '
	{ print }
	/^Benchmark(Core|Lists)\// {
		split($1, name, "/")
		sub(/-[0-9]+$/, "", name[2])
		for (i = 5; i < NF; i += 2) got[name[2] "." $(i + 1)] = $i
	}
	function result(name, value, unit) { printf "RESULT route.%s " (value < 10 ? "%.2f" : "%.0f") " %s\n", name, value, unit }
	END {
		if (!got["field.10-ns"] || !got["lists.10-ns"] || !got["rangewindows.10-ns"]) exit 1
		result("changes_per_s_core", 1e9 / got["field.10000-ns"], "changes/s")
		result("changes_per_s_core.all", 1e9 / got["field.10000.all-ns"], "changes/s")
		result("ratio_10000_to_10_anchors", got["field.10-ns"] / got["field.10000-ns"], "ratio")
		result("allocs_per_change", got["field.10000-allocs"], "allocs")
		for (i = 1; i <= split("lists windows ranges rangewindows", kinds, " "); i++) {
			kind = kinds[i]
			few = got[kind ".10-ns"]; many = got[kind ".10000-ns"]
			result(kind "_insert_ns.10", few, "ns")
			result(kind "_insert_ns.10000", many, "ns")
			if (kind ~ /^range/) {
				result(kind "_ns_per_list", (many - few) / 9990, "ns")
			} else {
				result(kind "_insert_ratio", many / few, "ratio")
				result(kind "_allocs_per_insert", got[kind ".10000-allocs"], "allocs")
			}
		}
	}'
