package pipe

import "testing"

func TestStepsOverAVersion(t *testing.T) {
	var s steps
	s.note(3, 7)
	s.note(7, 8)
	s.note(9, 11) // the feed has passed 9 without a change
	for version, want := range map[uint64]bool{2: false, 3: false, 4: true, 6: true, 7: false, 8: false, 9: false, 10: true, 11: false, 12: false} {
		if got := s.over(version); got != want {
			t.Errorf("over %d: %v, want %v", version, got, want)
		}
	}
	for i := range uint64(maxSteps) {
		s.note(20+2*i, 22+2*i)
	}
	if len(s.all) > maxSteps || !s.over(11) || s.over(s.before) || !s.over(s.before+1) || s.over(20+2*maxSteps) {
		t.Errorf("of %d steps, those before %d are forgotten", len(s.all), s.before)
	}
}
