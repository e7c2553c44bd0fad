#!/usr/bin/env bash
# sim-full.sh plays the large simulation in chunks of seeds, and goes on where it
# stopped: what was played is noted in .cache/sim-full.tsv, of which removing the
# file begins anew. MINUTES bounds one call; it ends at the first divergence.
set -euo pipefail

chunk=25
# What to play: a name, the number of seeds, the flags of the simulation.
plays=(
	"sqlite 1000 -db=sqlite"
	"postgres 500 -db=postgres"
	"postgres-nats 100 -db=postgres -nodes=3 -broker=nats"
	"postgres-redis 100 -db=postgres -nodes=3 -broker=redis"
	"sqlite-cache 100 -db=sqlite -cache=memory"
	"postgres-cache 100 -db=postgres -cache=memory"
	"postgres-nats-cache 200 -db=postgres -nodes=3 -broker=nats -cache=memory"
	"postgres-redis-cache 200 -db=postgres -nodes=3 -broker=redis -cache=memory"
)

done=$PWD/.cache/sim-full.tsv
mkdir -p .cache bin
touch "$done"
minutes=${MINUTES:-0}
SECONDS=0

(cd test && go build -o ../bin/sim ./sim)
cd test
for play in "${plays[@]}"; do
	read -r name seeds flags <<<"$play"
	for ((from = 1; from <= seeds; from += chunk)); do
		if grep -q "^$name	$from	" "$done"; then
			continue
		fi
		if ((minutes > 0 && SECONDS >= minutes * 60)); then
			echo "sim-full: $minutes minutes are over; call it again to go on"
			exit 0
		fi
		count=$((seeds - from + 1 < chunk ? seeds - from + 1 : chunk))
		# shellcheck disable=SC2086 # flags are words
		result=$(../bin/sim $flags -seeds="$count" -from="$from" -events=false | tee /dev/stderr | tail -n 1)
		printf '%s\t%s\t%s\n' "$name" "$from" "$result" >>"$done"
	done
done
echo "sim-full: all was played"
awk -F '\t' '{
	split($3, w, /[ ,]+/); seeds[$1] += w[2]; tx[$1] += w[4]; calls[$1] += w[6]; compared[$1] += w[8]
} END { for (n in seeds) printf "%-20s %5d seeds, %6d transactions, %6d calls, %7d comparisons\n", n, seeds[n], tx[n], calls[n], compared[n] }' "$done"
