package sqlitefeed

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watchWrites gives a hint whenever a process writes the file at path, until
// ctx ends; wait returns when the watching has ended after that. Another file
// that takes the path later is not watched; pace notices that by itself.
func watchWrites(ctx context.Context, path string) (hints <-chan struct{}, wait func(), err error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("watch %s: %w", path, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		events.Close()
		return nil, nil, fmt.Errorf("watch %s: %w", path, err)
	}
	out := make(chan struct{}, 1)
	done := make(chan struct{})
	context.AfterFunc(ctx, func() { events.Close() }) // ends the read
	go func() {
		defer close(done)
		passWrites(events, out)
	}()
	return out, func() { <-done }, nil
}

// passWrites turns events into hints until events is closed. Several writes
// make one hint.
func passWrites(events *os.File, hints chan<- struct{}) {
	buffer := make([]byte, 4096)
	for {
		if _, err := events.Read(buffer); err != nil {
			return
		}
		select {
		case hints <- struct{}{}:
		default:
		}
	}
}
