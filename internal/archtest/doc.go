// Package archtest holds the repository's own rules as tests: which package
// may import which, and what every file keeps to.
//
// The rules read the sources through go/parser and not through "go list",
// whose runs the test cache does not see. A new package fails the tests until
// it has a row in the table of ranks, which is the place to think about what
// it may know.
package archtest
