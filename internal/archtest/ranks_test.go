package archtest

import "strings"

// kind is what a package is to the others.
type kind int

const (
	// stage is a part of the pipe: it imports stages of lower rank only.
	stage kind = iota
	// port is a stage that adapters may import.
	port
	// adapter is one technology behind a port. It imports ports only, and only
	// apps and tests import it.
	adapter
	// wiring opens adapters by what an operator sets. It imports adapters, and only
	// apps and tests import it.
	wiring
	// kit is code for tests: conformance suites, pandotest. It imports what a
	// test may; only tests and other kits import it.
	kit
	// app is a program: it imports anything but kits, and nobody imports it.
	app
)

// wired is the rank of package backend, which wirings serve.
const wired = 4

// place is where a package stands: its kind, and its rank among the stages.
type place struct {
	kind kind
	rank int
}

// ranks has a row for every package of the library's module, by its folder.
// Arrows point from a higher rank to a lower one, never sideways.
var ranks = map[string]place{
	"manage":  {stage, 10},
	"inspect": {stage, 10},

	".": {stage, 9},

	"internal/session": {stage, 8},
	"mux":              {stage, 8},

	"internal/pipe": {stage, 7},
	"internal/bind": {stage, 7}, // the models of streams; what it is told of commits comes from above

	"client":        {stage, 7}, // the other end: nothing of the server's side imports it
	"internal/peer": {stage, 6},

	"internal/snapshot": {stage, 6}, // reads what the router wants
	"internal/presence": {stage, 6}, // is told by groups
	"internal/warm":     {stage, 6}, // keeps scopes in the cache, and opens them from it
	"internal/write":    {stage, 6}, // checks and makes what clients write

	"internal/hub":   {stage, 5},
	"internal/route": {stage, 5},
	"internal/rpc":   {stage, 5},
	"internal/group": {stage, 5},

	"internal/wire": {stage, 4},

	"backend": {stage, 4}, // what an app runs on, by its settings

	"feed":  {port, 3},
	"cache": {port, 3},

	"gen":   {stage, 2},
	"state": {port, 2},

	"broker": {port, 1},
	"schema": {port, 1},
	"token":  {stage, 1},

	"feed/pgfeed":        {kind: adapter},
	"feed/relay":         {kind: adapter},
	"feed/sqlitefeed":    {kind: adapter},
	"broker/membroker":   {kind: adapter},
	"broker/redisbroker": {kind: adapter},
	"broker/natsbroker":  {kind: adapter},

	"adapters/pandopgx": {kind: adapter},
	"cache/memcache":    {kind: adapter},
	"cache/mongocache":  {kind: adapter},

	"backend/memory":   {kind: wiring},
	"backend/mongo":    {kind: wiring},
	"backend/nats":     {kind: wiring},
	"backend/postgres": {kind: wiring},
	"backend/redis":    {kind: wiring},
	"backend/sqlite":   {kind: wiring},

	"broker/brokertest":    {kind: kit},
	"cache/cachetest":      {kind: kit},
	"feed/feedtest":        {kind: kit},
	"feed/relay/relaytest": {kind: kit},
	"pandotest":            {kind: kit},
	"internal/archtest":    {kind: kit},
	"internal/exampletest": {kind: kit},
	"internal/guidetest":   {kind: kit},
	"internal/memdb":       {kind: kit},
	"internal/seeds":       {kind: kit},
	"internal/servers":     {kind: kit},
	"internal/wiretest":    {kind: kit},
}

// placeOf finds a package's row; programs need none, their folder tells.
func placeOf(dir string) (place, bool) {
	if programOf(dir) != "" {
		return place{kind: app}, true
	}
	p, ok := ranks[dir]
	return p, ok
}

// programOf is the folder of the program that a package is part of; "" of others.
func programOf(dir string) string {
	if parts := strings.SplitN(dir, "/", 3); len(parts) > 1 && (parts[0] == "examples" || parts[0] == "cmd") {
		return parts[0] + "/" + parts[1]
	}
	return ""
}

// mayImport tells whether code of from, other than its tests, may import to,
// and if not, why.
func mayImport(from, to place) (why string, ok bool) {
	switch {
	case to.kind == app:
		return "a program is imported by nobody", false
	case to.kind == kit && from.kind != kit:
		return "only tests import code that is made for tests", false
	case from.kind == app || from.kind == kit:
		return "", true
	case to.kind == wiring:
		return "only apps and tests import what opens adapters", false
	case from.kind == wiring && (to.kind == adapter || to.kind == port || to.rank <= wired):
		return "", true
	case from.kind == wiring:
		return "what opens adapters imports them, ports and package backend only", false
	case to.kind == adapter:
		return "only apps and tests import an adapter; take the port", false
	case from.kind == adapter && to.kind != port:
		return "an adapter imports ports only", false
	case from.kind != adapter && from.rank <= to.rank:
		return "arrows point from a higher rank to a lower one", false
	}
	return "", true
}
