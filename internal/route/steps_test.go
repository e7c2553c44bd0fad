package route

import "testing"

func TestStepsOverAVersion(t *testing.T) {
	var s Steps
	s.Note(3, 7, 64)
	s.Note(7, 8, 64)
	s.Note(9, 11, 64) // the feed has passed 9 without a change
	for version, want := range map[uint64]bool{2: false, 3: false, 4: true, 6: true, 7: false, 8: false, 9: false, 10: true, 11: false, 12: false} {
		if got := s.Over(version); got != want {
			t.Errorf("over %d: %v, want %v", version, got, want)
		}
	}
	for i := range uint64(64) {
		s.Note(20+2*i, 22+2*i, 64)
	}
	if len(s.all) > 64 || !s.Over(11) || s.Over(s.before) || !s.Over(s.before+1) || s.Over(20+2*64) {
		t.Errorf("of %d steps, those before %d are forgotten", len(s.all), s.before)
	}
}
