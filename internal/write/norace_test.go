//go:build !race

package write_test

// worldsAtAll is how many worlds are tried.
const worldsAtAll = 60
