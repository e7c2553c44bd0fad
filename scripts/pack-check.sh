#!/usr/bin/env bash
# pack-check.sh packs the TypeScript packages as they would be published, and
# installs, type-checks and builds with them in a fresh Vite project outside of
# this repository. The packages must have been built.
set -euo pipefail
cd "$(dirname "$0")/.."

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cp -r scripts/pack-check/. "$project"
# The page is the quickstart's, as an app's own folder has it.
cp -r examples/quickstart/frontend/live "$project/src/live"
for name in client react; do
	npm pack --silent --pack-destination "$project" --workspace "ts/packages/$name" >/dev/null
	mv "$project/pando-sync-$name-"*.tgz "$project/$name.tgz"
done

cd "$project"
timeout 240 npm install --no-audit --no-fund --prefer-offline --loglevel=error
# Once as bundlers resolve, once as Node does.
timeout 120 npx tsc
timeout 120 npx tsc --module nodenext --moduleResolution nodenext
timeout 120 npx vite build --logLevel error
grep -q 'Analytical' dist/assets/*.js || {
	echo "pack-check: the page is not in what was built" >&2
	exit 1
}
node check.mjs
echo "pack-check: $(wc -c dist/assets/*.js | tail -1 | awk '{print $1}') bytes of script, from a fresh project"
