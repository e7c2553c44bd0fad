package ferret

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// gate passes messages of MongoDB's protocol on to a server, of those that write
// one at a time.
type gate struct {
	behind  string
	address string
	// writing is held while a command that writes is under way.
	writing sync.Mutex

	mu       sync.Mutex // guards what follows
	listener net.Listener
	conns    map[net.Conn]bool
	running  sync.WaitGroup
}

func newGate(ctx context.Context, behind string) (*gate, error) {
	g := &gate{behind: behind, address: "127.0.0.1:0"}
	return g, g.open(ctx)
}

// open takes connections, at the address of before.
func (g *gate) open(ctx context.Context) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", g.address)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listener, g.address, g.conns = l, l.Addr().String(), map[net.Conn]bool{}
	g.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.running.Go(func() { g.serve(c) })
		}
	})
	return nil
}

// close ends all connections, and waits until they have ended.
func (g *gate) close() {
	g.mu.Lock()
	if g.listener != nil {
		g.listener.Close()
	}
	for c := range g.conns {
		c.Close()
	}
	g.listener, g.conns = nil, nil
	g.mu.Unlock()
	g.running.Wait()
}

// keep has a connection closed by close; it is false when that was before.
func (g *gate) keep(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns == nil {
		return false
	}
	g.conns[c] = true
	return true
}

func (g *gate) serve(client net.Conn) {
	defer client.Close()
	if !g.keep(client) {
		return
	}
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", g.behind)
	if err != nil {
		return
	}
	defer server.Close()
	if !g.keep(server) {
		return
	}
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.conns, client)
		delete(g.conns, server)
	}()
	for {
		request, err := readMessage(client)
		if err != nil {
			return
		}
		answer, err := g.exchange(server, request)
		if err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// exchange passes on a request, and returns the answer, if there is one.
func (g *gate) exchange(server net.Conn, request []byte) ([]byte, error) {
	if writes(request) {
		g.writing.Lock()
		defer g.writing.Unlock()
	}
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	if unanswered(request) {
		return nil, nil
	}
	return readMessage(server)
}

// The layout of messages: a header of four integers (size, two numbers, code), and
// of an OP_MSG its flags, the kind of its first section and a document.
const (
	headerSize = 16
	codeAt     = 12
	flagsAt    = 16
	nameAt     = 26 // behind the section's kind, the document's size and the first type
	opMsg      = 2013
	moreToCome = 2
	largest    = 64 << 20
)

var errSize = errors.New("the message has an impossible size")

func readMessage(r io.Reader) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(header))
	if size < headerSize || size > largest {
		return nil, fmt.Errorf("%d bytes: %w", size, errSize)
	}
	message := make([]byte, size)
	copy(message, header)
	_, err := io.ReadFull(r, message[headerSize:])
	return message, err
}

func isCommand(message []byte) bool {
	return len(message) > nameAt && binary.LittleEndian.Uint32(message[codeAt:]) == opMsg
}

// unanswered tells whether the sender expects no answer.
func unanswered(message []byte) bool {
	return isCommand(message) && message[flagsAt]&moreToCome != 0
}

// reading are commands that change no document.
var reading = []string{"hello", "isMaster", "ismaster", "ping", "find", "getMore", "killCursors", "endSessions"}

// writes tells whether a message is a command that may change documents.
func writes(message []byte) bool {
	if !isCommand(message) {
		return false
	}
	name, _, _ := bytes.Cut(message[nameAt:], []byte{0})
	return !slices.Contains(reading, string(name))
}
