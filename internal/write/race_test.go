//go:build race

package write_test

// worldsAtAll is how many worlds are tried, fewer as the race detector makes
// SQLite some twenty times slower.
const worldsAtAll = 10
