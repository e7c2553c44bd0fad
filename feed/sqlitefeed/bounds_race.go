//go:build race

package sqlitefeed

// The bounds of a part, smaller as the race detector makes SQLite some twenty
// times slower.
const (
	partChanges = 256
	partBytes   = 1 << 20
)
