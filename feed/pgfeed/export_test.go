package pgfeed

import "time"

// PartRows is for tests of large transactions.
const PartRows = partRows

// SetPatience sets for how long Run bears with tables that are not as declared.
func (s *Source) SetPatience(d time.Duration) { s.patience = d }
