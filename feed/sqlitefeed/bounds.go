//go:build !race

package sqlitefeed

// A part of a commit ends with the row of the log that reaches one of these
// bounds.
const (
	partChanges = 4096
	partBytes   = 8 << 20
)
