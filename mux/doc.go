// Package mux is streams that an app routes by path: demultiplexers with their
// consumers, models bound to streams, and plain messages, beside the channels of
// the same app and by the same sessions, groups, feed and identities.
package mux
