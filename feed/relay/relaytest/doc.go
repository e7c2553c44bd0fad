// Package relaytest is a database and a broker in memory for tests of what is
// relayed: a log with one owner at a time, commits that reads do not see yet,
// and everything that a broker may lose.
//
// # Concurrency
//
// All types are safe for concurrent use, and can live in a synctest bubble:
// there are no goroutines.
package relaytest
