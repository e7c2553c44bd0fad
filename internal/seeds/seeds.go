// Package seeds has property tests draw the same values in every run, so that a
// test that fails tells of the change before it. PANDO_RANDOM=1 has them draw
// other ones each time, as "make hunt" does.
//
// A test imports it for what it does when the program starts.
package seeds

import (
	"flag"
	"os"

	_ "pgregory.net/rapid" // declares the flag
)

func init() { //nolint:gochecknoinits // before the flags are parsed, which win
	if os.Getenv("PANDO_RANDOM") != "" {
		return
	}
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic("seeds: " + err.Error())
	}
}
