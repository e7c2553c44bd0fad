// Package faults has what befalls the servers below an app: a standby that never
// answers, a slot that nobody reads, a right that is taken back, a full disk, a
// broker without its data. Its tests run whole apps on servers of their own, with
// clients that show ledgers: a ledger's two entries make zero, and each turn of it
// is one transaction over three rows, so that every state which was never
// committed shows. The other tests of such faults stand beside what has to bear
// them, in feed/pgfeed, feed/relay and the brokers.
package faults
