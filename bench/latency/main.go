//go:build linux

// Command latency measures how long a commit to SQLite or PostgreSQL takes to
// reach the last of many clients, and what an idle connection costs.
//
// Server, clients and foreign writer are processes of their own: this binary
// again, bound to processor cores, so that they do not take each other's time.
// All read CLOCK_MONOTONIC, which is one clock for the whole machine. The
// writer takes the time before its UPDATE begins and writes it into the row;
// a client takes it again when the frame with that row has been read from its
// socket. What is measured thus includes the statement, its commit, Pando and
// the loopback.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// plan is what is measured.
type plan struct {
	rounds, seconds, rate, clients, idle, rows int
	only                                       string

	// results are the lines that end the output, for scripts.
	results []string
}

func main() {
	var p plan
	role := flag.String("role", "", "what this process is: server, clients, writer, or none for the measure itself")
	var settings settings
	flag.StringVar(&settings.db, "db", "", "the database of a server or writer")
	flag.StringVar(&settings.broker, "broker", "", "the broker of a server that is one of several nodes")
	flag.BoolVar(&settings.fresh, "fresh", false, "have a server make the tables")
	flag.IntVar(&p.rounds, "rounds", 5, "rounds of each measure")
	flag.IntVar(&p.seconds, "seconds", 10, "seconds of a round")
	flag.IntVar(&p.rate, "rate", 200, "commits per second")
	flag.IntVar(&p.clients, "clients", 100, "clients of the measures with many")
	flag.IntVar(&p.idle, "idle", 2000, "idle connections")
	flag.IntVar(&p.rows, "rows", 1_000_000, "rows of the large transaction")
	flag.StringVar(&p.only, "only", "", "measure only what contains this: sqlite, sqlite_one, sqlite_foreign, sqlite_foreign_one, postgres, postgres_one, postgres_nats, postgres_redis, idle, bigtx")
	flag.Parse()
	var err error
	switch *role {
	case "server":
		err = runServer(settings)
	case "clients":
		err = serveParent(&Clients{})
	case "writer":
		err = runWriter(settings)
	default:
		err = p.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

func (p *plan) run() error {
	if err := raiseFiles(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pando-latency-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cores, err := twoCores()
	if err != nil {
		return err
	}
	describe(cores)
	for _, m := range []measure{
		{name: "sqlite", clients: p.clients},
		{name: "sqlite_one", clients: 1},
		{name: "sqlite_foreign", clients: p.clients, foreign: true},
		{name: "sqlite_foreign_one", clients: 1, foreign: true},
		{name: "postgres", clients: p.clients, foreign: true, postgres: true},
		{name: "postgres_one", clients: 1, foreign: true, postgres: true},
		{name: "postgres_nats", clients: p.clients, foreign: true, postgres: true, broker: "nats", nodes: 3},
		{name: "postgres_redis", clients: p.clients, foreign: true, postgres: true, broker: "redis", nodes: 3},
	} {
		if !strings.Contains(m.name, p.only) {
			continue
		}
		if err := m.runOn(p, cores, filepath.Join(dir, m.name+".db")); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if strings.Contains("idle", p.only) {
		if err := p.measureIdle(cores, filepath.Join(dir, "idle.db")); err != nil {
			return fmt.Errorf("idle: %w", err)
		}
	}
	if strings.Contains("bigtx", p.only) && p.only != "" {
		if err := p.measureLarge(cores, dir); err != nil {
			return fmt.Errorf("bigtx: %w", err)
		}
	}
	fmt.Println(strings.Join(p.results, "\n"))
	return nil
}

// measure is one way from a commit to clients.
type measure struct {
	name    string
	clients int
	foreign bool
	// postgres has the database be a PostgreSQL, and broker has nodes processes
	// serve the clients, which one of them feeds by it.
	postgres bool
	broker   string
	nodes    int
}

// runOn starts the servers that the measure needs, and measures.
func (m measure) runOn(p *plan, cores [2]int, file string) error {
	backing := settings{db: file}
	if m.postgres {
		started, stop, err := startBacking(cores[0], m.broker)
		if err != nil {
			return err
		}
		defer stop()
		backing = started
	}
	return m.run(p, cores, backing)
}

func (m measure) run(p *plan, cores [2]int, backing settings) error {
	s, err := startStage(cores, backing, m.foreign, max(1, m.nodes))
	if err != nil {
		return err
	}
	defer s.stop()
	for i, addr := range s.addrs {
		args := OpenArgs{Addr: addr, Count: (m.clients + i) / len(s.addrs)}
		if err := s.clients.Call("Clients.Open", args, &struct{}{}); err != nil {
			return err
		}
	}
	next := 1
	round := func(seconds float64) ([]float64, error) {
		args := CommitArgs{From: next, Count: int(seconds * float64(p.rate)), Rate: p.rate}
		next += args.Count
		if err := s.writer.Call(s.commit, args, &struct{}{}); err != nil {
			return nil, err
		}
		var last []float64
		err := s.clients.Call("Clients.Last", args, &last)
		slices.Sort(last)
		return last, err
	}
	if _, err := round(2); err != nil { // warms up
		return err
	}
	var p50, p99, p999 []float64
	for i := range p.rounds {
		before, err := s.usage()
		if err != nil {
			return err
		}
		last, err := round(float64(p.seconds))
		if err != nil {
			return err
		}
		after, err := s.usage()
		if err != nil {
			return err
		}
		p50, p99, p999 = append(p50, at(last, 0.5)), append(p99, at(last, 0.99)), append(p999, at(last, 0.999))
		fmt.Printf("%-19s round %d: %d commits, ms to the last of %d clients: p50 %.3f  p99 %.3f  p99.9 %.3f  most %.3f; others used %.2f cores\n",
			m.name, i+1, len(last), m.clients, at(last, 0.5), at(last, 0.99), at(last, 0.999), last[len(last)-1], after.others(before))
	}
	p.result("latency."+m.name+".p50_ms", p50)
	p.result("latency."+m.name+".p99_ms", p99)
	p.result("latency."+m.name+".p999_ms", p999)
	return nil
}

// at is the q-quantile of sorted values.
func at(sorted []float64, q float64) float64 {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// result prints the median of the rounds and between which values they lie.
func (p *plan) result(name string, rounds []float64) {
	slices.Sort(rounds)
	fmt.Printf("%s: median %.3f ms, %.3f to %.3f in %d rounds\n", name, at(rounds, 0.5), rounds[0], rounds[len(rounds)-1], len(rounds))
	p.results = append(p.results, fmt.Sprintf("RESULT %s %.3f ms", name, at(rounds, 0.5)))
}

func (p *plan) measureIdle(cores [2]int, db string) error {
	s, err := startStage(cores, settings{db: db}, false, 1)
	if err != nil {
		return err
	}
	defer s.stop()
	// The first connections make what all share: pools, tables, the scope.
	const first = 50
	var before, after float64
	for _, step := range []struct {
		count int
		bytes *float64
	}{{first, &before}, {p.idle, &after}} {
		if err := s.clients.Call("Clients.Open", OpenArgs{Addr: s.addrs[0], Count: step.count}, &struct{}{}); err != nil {
			return err
		}
		if err := s.writer.Call("Server.Memory", struct{}{}, step.bytes); err != nil {
			return err
		}
	}
	fmt.Printf("idle: %d connections, each with one open stream of a shared board, take %.1f MB of the server\n", p.idle, (after-before)/1e6)
	p.results = append(p.results, fmt.Sprintf("RESULT idle.bytes_per_conn.portable %.0f bytes", (after-before)/float64(p.idle)))
	return nil
}

// describe prints where and how this is measured.
func describe(cores [2]int) {
	var name unix.Utsname
	kernel := ""
	if unix.Uname(&name) == nil {
		kernel = unix.ByteSliceToString(name.Release[:])
	}
	fmt.Printf("machine: %s, %d cores, Linux %s, %s; %s\n", processor(), runtime.NumCPU(), kernel, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "modernc.org/sqlite" {
				fmt.Println("driver: ", dep.Path, dep.Version)
			}
		}
	}
	fmt.Printf("server and writer on core %d, clients on core %d\n", cores[0], cores[1])
	fmt.Println("command: cd bench && go run ./latency", strings.Join(os.Args[1:], " "))
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
