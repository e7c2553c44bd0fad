//go:build !linux

package sqlitefeed

import "context"

// watchWrites has no cheap means here; the poll's interval is the latency.
func watchWrites(context.Context, string, chan<- struct{}) {}
