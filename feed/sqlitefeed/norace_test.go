//go:build !race

package sqlitefeed

// underRace tells that the race detector makes SQLite some twenty times slower.
const underRace = false
