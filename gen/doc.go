// Package gen makes the TypeScript of declared channels: for each app, which
// is a Go package that declares channels, one file of interfaces and one of
// channel classes.
//
// Generate is pure: manifest and docs in, files out. LoadDocs reads comments
// and parameter names from the app's source, where there is one; Sync brings a
// folder up to date and shows what changed.
package gen
