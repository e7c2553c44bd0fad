// Package servers starts real servers for tests, simulations and benchmarks:
// private ones, from the installed programs, on free ports of the loopback
// interface and with folders of their own. Nothing depends on a server that
// happens to run, and none outlives the process that started it.
//
// # Usage
//
// A package whose tests need servers shares one of each kind among its tests and
// ends them before it looks for leaked goroutines:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		url := servers.Database(t) // a fresh database of the shared server
//	}
//
// Who stops, kills and restarts a server starts one for itself, by Postgres. Need
// skips a test where the program is not installed, and fails it when CI=true.
//
// # Concurrency
//
// All of it is safe for concurrent use, but that one server is stopped and
// started by one goroutine at a time.
package servers
