package brokertest

import (
	"slices"
	"testing"
)

// TestFeaturesLeaveOutWhatABackendCannotDo has a backend without capacity pass all
// but what is of capacity, and one that can do everything pass all.
func TestFeaturesLeaveOutWhatABackendCannotDo(t *testing.T) {
	all := Features{Capacity: true, Expiry: true, GroupExpiry: true, Kept: true}
	for _, c := range all.tests() {
		if !c.can {
			t.Errorf("%q is left out though the backend can do everything", c.name)
		}
	}
	boundless := all
	boundless.Capacity = false
	var left []string
	for _, c := range boundless.tests() {
		if !c.can {
			left = append(left, c.name)
		}
	}
	want := []string{
		"capacity is 100 by default, Send on a full channel returns ErrChannelFull",
		"capacity by channel name or pattern, first match wins",
		"for process channels capacity counts per process part",
		"GroupSend never fails for a full channel, it drops for that member and counts the drop",
	}
	if !slices.Equal(left, want) {
		t.Errorf("without capacity %q are left out, want %q", left, want)
	}
}
