// Package billing has types of names that another package has.
package billing

// Item is what is paid for.
type Item struct {
	ID    int64 `json:"id"`
	Cents int64 `json:"cents"`
}

// Summary is what all items make.
type Summary struct {
	Cents int64 `json:"cents"`
}
