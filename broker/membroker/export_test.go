package membroker

import "slices"

// Save returns a function that brings the records back as they are now.
func (s *Stream) Save() (restore func()) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	records, size, last, by := slices.Clone(l.records), l.bytes, l.last, l.by
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.records, l.bytes, l.last, l.by = slices.Clone(records), size, last, by
		l.wake()
	}
}
