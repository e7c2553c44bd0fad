#!/usr/bin/env bash
# setup.sh installs by apt what the tests run: a C compiler for the race
# detector, a browser, the sqlite3 shell, and the servers and proxies that they
# start for themselves. Without root it names what is missing.
set -euo pipefail

# One line per need: a command that shows it is there, and Debian's package.
needs=(
	"gcc gcc"
	"chromium chromium"
	"sqlite3 sqlite3"
	"/usr/lib/postgresql/*/bin/postgres postgresql"
	"redis-server redis-server"
	"nats-server nats-server"
	"nginx nginx"
	"caddy caddy"
	"pgbouncer pgbouncer"
)

# installed tells whether a command is in the path, or a pattern names one:
# Debian keeps those of PostgreSQL in folders by version. What only root looks
# for stands in /usr/sbin.
installed() {
	case $1 in
	/*) compgen -G "$1" >/dev/null ;;
	*) PATH=$PATH:/usr/sbin command -v "$1" >/dev/null ;;
	esac
}

missing=()
for need in "${needs[@]}"; do
	read -r command package <<<"$need"
	installed "$command" || missing+=("$package")
done
# gcc alone has no C library to link with.
if command -v dpkg >/dev/null && ! dpkg -s libc6-dev >/dev/null 2>&1; then
	missing+=(libc6-dev)
fi

if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "missing: ${missing[*]}" >&2
	echo "install them, on Debian by: sudo apt-get install ${missing[*]}" >&2
	exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
