//go:build ignore

package main

// Book is a book of the first release.
type Book struct {
	ID     int64  `json:"id"`
	Title  string `json:"title"`
	Author string `json:"author"`
}

// added are the columns that the release adds to the books, and how.
var added map[string]string
