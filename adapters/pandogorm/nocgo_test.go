//go:build !cgo

package pandogorm_test

// byCgo is nothing: the driver that GORM's dialect brings does not work.
func byCgo() []database { return nil }
