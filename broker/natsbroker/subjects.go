package natsbroker

import "strings"

// A name becomes one token of a subject: its dots are written "=", which no name
// has.
//
//	mail        → pando.channel.mail
//	node.ab!    → pando.channel.node=ab.!
//	node.ab!x.y → pando.channel.node=ab.!x=y
//	news        → pando.group.news
//
// The stream commits is called pando_commits and has the subject
// pando.stream.commits and its identity.
const (
	kindChannel = "channel"
	kindGroup   = "group"
	kindFlush   = "flush"
	kindBeat    = "beat"
	kindAsk     = "ask"
	kindStream  = "stream"
)

// subjects are those of an app.
type subjects struct{ prefix string }

func token(name string) string { return strings.ReplaceAll(name, ".", "=") }

func untoken(token string) string { return strings.ReplaceAll(token, "=", ".") }

// channel is where a message for a channel goes.
func (s subjects) channel(name string) string {
	process, part, ok := strings.Cut(name, "!")
	if !ok {
		return s.of(kindChannel, token(name))
	}
	return s.of(kindChannel, token(process), "!"+token(part))
}

// queue is what who reads a channel, or all of a process, subscribes to.
func (s subjects) queue(name string) string {
	if process, ok := strings.CutSuffix(name, "!"); ok {
		return s.of(kindChannel, token(process), "*")
	}
	return s.channel(name)
}

func (s subjects) group(name string) string { return s.of(kindGroup, token(name)) }

func (s subjects) of(tokens ...string) string { return s.prefix + "." + strings.Join(tokens, ".") }

// parse returns the kind of a subject, and the name of the channel or group.
func (s subjects) parse(subject string) (kind, name string) {
	rest := strings.TrimPrefix(subject, s.prefix+".")
	kind, rest, _ = strings.Cut(rest, ".")
	return kind, untoken(strings.Replace(rest, ".", "", 1))
}

// streamName is what JetStream calls a stream. A prefix has no "_", so that no
// two apps have the same.
func (s subjects) streamName(name string) string { return s.prefix + "_" + token(name) }

// streamSubject is the one of a stream with an identity.
func (s subjects) streamSubject(name, identity string) string {
	return s.of(kindStream, token(name), identity)
}

// process tells whether a channel is a process's own.
func process(queue string) bool { return strings.HasSuffix(queue, "!") }
