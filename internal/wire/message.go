package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// Protocol is the version of the protocol that this package speaks.
const Protocol = 1

// Control is the name of the stream that is the connection itself.
const Control = "@"

// Envelope is one request of a client.
type Envelope struct {
	Stream  string          `json:"stream"`
	ID      uint64          `json:"id"`
	Payload json.RawMessage `json:"payload"`
}

// Request is the payload of an Envelope. Which members are used depends on
// Type.
type Request struct {
	Type     string            `json:"type"`
	Protocol int               `json:"protocol"`
	Token    string            `json:"token"`
	Route    string            `json:"route"`
	Consumer string            `json:"consumer"`
	Resume   *Resume           `json:"resume"`
	Name     string            `json:"name"`
	Args     []json.RawMessage `json:"args"`
	// Previous is the id of the session that a connect goes on from.
	Previous string `json:"previous"`
	// Key is what the client calls a request that is to be applied once.
	Key string `json:"key"`
	// Of, ID, In, Data and Seen are a write's: see Protocol, "Writes".
	Of   string                     `json:"of"`
	ID   string                     `json:"id"`
	In   []string                   `json:"in"`
	Data map[string]json.RawMessage `json:"data"`
	Seen map[string]json.RawMessage `json:"seen"`

	// Size is the length of the payload in bytes, Body the data of a message, an
	// object.
	Size int             `json:"-"`
	Body json.RawMessage `json:"-"`
}

// Resume is what a client holds of a stream.
type Resume struct {
	Epoch    string   `json:"epoch"`
	Versions []uint64 `json:"versions"`
}

// ParseMessage returns the data of a request of type "message".
func ParseMessage(payload json.RawMessage) (json.RawMessage, bool) {
	var m struct {
		Data json.RawMessage `json:"data"`
	}
	return m.Data, json.Unmarshal(payload, &m) == nil && IsObject(m.Data)
}

// IsObject tells whether a JSON value is an object.
func IsObject(value json.RawMessage) bool { return len(value) > 0 && value[0] == '{' }

// ParseFrame returns the envelopes of one frame: one, or an array of them.
func ParseFrame(data []byte) ([]Envelope, error) {
	if data = bytes.TrimLeft(data, " \t\r\n"); len(data) > 0 && data[0] == '[' {
		var many []Envelope
		err := json.Unmarshal(data, &many)
		return many, err
	}
	var one Envelope
	err := json.Unmarshal(data, &one)
	return []Envelope{one}, err
}

// ValidStream tells whether a client may give a stream this name.
func ValidStream(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// ValidKey tells whether a client may call a request this that is to be applied
// once.
func ValidKey(key string) bool { return ValidStream(key) && !strings.Contains(key, ".") }

// Type is an instance type as hello announces it.
type Type struct {
	Name   string   `json:"name"`
	Fields []string `json:"fields"`
}

// Types lists the registry's types for hello. Those of rows that are read for
// computed fields only, which are never sent, keep their place and say nothing.
func Types(reg *schema.Registry) []Type {
	types := make([]Type, len(reg.Types))
	for i, t := range reg.Types {
		if strings.HasPrefix(t.Name, "#") {
			types[i].Fields = []string{}
			continue
		}
		types[i] = Type{Name: t.Name, Fields: make([]string, len(t.Fields))}
		for j := range t.Fields {
			types[i].Fields[j] = t.Fields[j].Name
		}
	}
	return types
}

// Hello is the first message of a server.
type Hello struct {
	Type      string            `json:"type"`
	Protocol  int               `json:"protocol"`
	Session   string            `json:"session"`
	Epoch     string            `json:"epoch"`
	Heartbeat int64             `json:"heartbeat"`
	Types     []Type            `json:"types"`
	Channels  map[string]string `json:"channels"`
}

// Connected answers connect.
type Connected struct {
	Type string `json:"type"`
	User string `json:"user"`
}

// Opened answers open: a stream of a channel, or one of a demultiplexer's consumer,
// which has neither epoch nor scopes.
type Opened struct {
	Type     string  `json:"type"`
	Channel  string  `json:"channel,omitempty"`
	Consumer string  `json:"consumer,omitempty"`
	Epoch    string  `json:"epoch,omitempty"`
	Scopes   []Scope `json:"scopes"`
}

// Scope is one scope of an opened stream.
type Scope struct {
	ID      string `json:"id"`
	Resumed bool   `json:"resumed"`
}

// Closed tells that a stream is closed: the answer to close, or, with a code,
// the server's own doing.
type Closed struct {
	Type    string `json:"type"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Result answers an action.
type Result struct {
	Type    string          `json:"type"`
	Value   json.RawMessage `json:"value"`
	Version uint64          `json:"version,omitempty"`
}

// Error answers a request that failed, or a frame that could not be read.
type Error struct {
	Type string `json:"type"`
	Code string `json:"code"`
	// Status is that of HTTP which means the same, in errors of streams of
	// demultiplexers.
	Status  int    `json:"status,omitempty"`
	Message string `json:"message"`
	Retry   bool   `json:"retry"`
	// RetryAfter is in milliseconds.
	RetryAfter int64 `json:"retry_after,omitempty"`
	// Outcome is "unknown" where the request may have been carried out, in part or
	// whole, and empty where it was not.
	Outcome string `json:"outcome,omitempty"`
	// Fields are messages by the wire names of single fields.
	Fields map[string]string `json:"fields,omitempty"`
}

// Notice tells a stream of something that is no state.
type Notice struct {
	Type  string          `json:"type"`
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// System tells a connection of something that concerns the whole service.
type System struct {
	Type string `json:"type"`
	// Kind is "message" or "maintenance".
	Kind string `json:"kind"`
	Text string `json:"text"`
	// RetryAfter is, for maintenance, the milliseconds after which clients may
	// come back; they add a random part of as much again.
	RetryAfter int64 `json:"retry_after,omitempty"`
}

// Runtime sets members of a stream's runtime state.
type Runtime struct {
	Type string                     `json:"type"`
	Set  map[string]json.RawMessage `json:"set"`
}

// Message encodes a payload in its envelope as a frame; id 0 leaves it out.
// The payload is one of this package's types, or was marshalled before: a
// failure is a programmer's mistake.
func Message(stream string, id uint64, payload any) *Frame {
	body, err := json.Marshal(payload)
	if err != nil {
		panic("wire: encode message: " + err.Error())
	}
	return envelope(stream, id, body)
}

// Carry is Message of a payload that is JSON already, in parts, as a database or an
// app gave it. It is not parsed, and may be nested deeper than json.Marshal bears.
func Carry(stream string, payload ...[]byte) *Frame { return envelope(stream, 0, payload...) }

func envelope(stream string, id uint64, payload ...[]byte) *Frame {
	name, err := json.Marshal(stream)
	if err != nil {
		panic("wire: encode stream: " + err.Error())
	}
	size := 0
	for _, part := range payload {
		size += len(part)
	}
	b := make([]byte, headerRoom, headerRoom+size+len(name)+48)
	b = append(b, `{"stream":`...)
	b = append(b, name...)
	if id > 0 {
		b = append(b, `,"id":`...)
		b = strconv.AppendUint(b, id, 10)
	}
	b = append(b, `,"payload":`...)
	for _, part := range payload {
		b = append(b, part...)
	}
	b = append(b, '}')
	return &Frame{Bytes: seal(b)}
}

// Text encodes a text frame that has no envelope. The text is copied.
func Text(text []byte) *Frame {
	b := make([]byte, headerRoom, headerRoom+len(text))
	return &Frame{Bytes: seal(append(b, text...))}
}

// Mark encodes a begin, end or mark of a version.
func Mark(kind string, version uint64) *Frame {
	b := make([]byte, headerRoom, headerRoom+64)
	b = append(b, `{"stream":"@","payload":{"type":"`...)
	b = append(b, kind...)
	b = append(b, `","v":`...)
	b = strconv.AppendUint(b, version, 10)
	b = append(b, '}', '}')
	return &Frame{Version: version, Bytes: seal(b)}
}

// Beat is the frame that tells a client that the connection lives.
var Beat = Message(Control, 0, Closed{Type: "beat"})

// Pong answers a client's ping.
func Pong(id uint64) *Frame { return Message(Control, id, Closed{Type: "pong"}) }
