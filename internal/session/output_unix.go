//go:build unix

package session

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// output writes to a socket without waiting for it.
type output struct {
	raw syscall.RawConn
	// attempt is the function given to raw, made once; it works on the fields
	// below, which belong to the session's writer.
	attempt func(fd uintptr) bool
	bufs    [][]byte
	vector  *vector
	written int
	err     error
}

// init takes the socket of a connection. One that has none (TLS) is written by
// waiting only.
func (o *output) init(conn net.Conn) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	o.raw = raw
	o.attempt = func(fd uintptr) bool {
		o.written, o.err = o.vector.write(int(fd), o.bufs)
		return true
	}
}

// write writes as much as the socket takes and returns the rest.
func (o *output) write(bufs [][]byte, v *vector) (rest [][]byte, err error) {
	if o.raw == nil {
		return bufs, nil
	}
	for len(bufs) > 0 {
		o.bufs, o.vector, o.written, o.err = bufs, v, 0, nil
		err := o.raw.Write(o.attempt)
		o.bufs, o.vector = nil, nil
		switch {
		case err != nil:
			return nil, err
		case errors.Is(o.err, unix.EAGAIN):
			return bufs, nil
		case errors.Is(o.err, unix.EINTR):
		case o.err != nil:
			return nil, o.err
		}
		bufs = advance(bufs, o.written)
	}
	return nil, nil
}

// advance drops n bytes from the front of bufs.
func advance(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}
