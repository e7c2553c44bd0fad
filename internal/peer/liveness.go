package peer

import (
	"net"
	"time"
)

// helloTimeout is how long a server may say nothing before its hello has told
// how often it says something.
const helloTimeout = 20 * time.Second

// livelyReader reads a connection, and fails once nothing has come for so long.
// It is used by the connection's reader only.
type livelyReader struct {
	conn    net.Conn
	early   []byte        // has come with the upgrade
	silence time.Duration // 0 is any
}

// heartbeat sets how often something comes.
func (r *livelyReader) heartbeat(every time.Duration) {
	if r.silence > 0 && every > 0 {
		r.silence = 2 * every
	}
}

// Read implements io.Reader.
func (r *livelyReader) Read(p []byte) (int, error) {
	if len(r.early) > 0 {
		n := copy(p, r.early)
		r.early = r.early[n:]
		return n, nil
	}
	if r.silence > 0 {
		if err := r.conn.SetReadDeadline(time.Now().Add(r.silence)); err != nil {
			return 0, err
		}
	}
	return r.conn.Read(p)
}
