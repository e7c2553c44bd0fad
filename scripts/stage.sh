#!/usr/bin/env bash
# stage.sh runs the stages of a long target, goes on after one that fails, and
# shows at the end how long each took.
#
#   stage.sh --start          forget earlier stages
#   stage.sh NAME COMMAND…    run one; its output is not touched
#   stage.sh --table          print the table; fail when a stage failed
set -uo pipefail

table=.cache/stages.tsv
mkdir -p "$(dirname "$table")"

# clock SECONDS prints minutes and seconds.
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

case "${1:-}" in
--start)
	: >"$table"
	;;
--table)
	total=0
	status=0
	echo
	printf '%-12s %8s  %s\n' stage time result
	while IFS=$'\t' read -r name seconds result; do
		printf '%-12s %8s  %s\n' "$name" "$(clock "$seconds")" "$result"
		total=$((total + seconds))
		[ "$result" = ok ] || status=1
	done <"$table"
	printf '%-12s %8s\n' total "$(clock "$total")"
	exit "$status"
	;;
*)
	name=$1
	shift
	echo "=== $name: $*"
	SECONDS=0
	result=ok
	"$@" || result="FAILED ($?)"
	printf '%s\t%s\t%s\n' "$name" "$SECONDS" "$result" >>"$table"
	echo "=== $name: $result after $(clock "$SECONDS")"
	;;
esac
