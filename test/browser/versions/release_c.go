//go:build ignore

package main

// Book is a book of the release that shows no author any more. The column
// stays until no server of an older release runs.
type Book struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Year  int64  `json:"year"`
}

// added are the columns that the release adds to the books, and how.
var added = map[string]string{"year": `ALTER TABLE books ADD COLUMN year INTEGER NOT NULL DEFAULT 1900`}
