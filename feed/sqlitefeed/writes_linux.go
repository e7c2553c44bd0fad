package sqlitefeed

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// watchWrites sends a hint whenever a process writes the file at path, until
// ctx ends. Where the kernel refuses, there are no hints and the poll's
// interval is the latency.
func watchWrites(ctx context.Context, path string, hint chan<- struct{}) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return
	}
	events := os.NewFile(uintptr(fd), "inotify")
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer func() {
		if stop() {
			events.Close()
		}
	}()
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		return
	}
	buffer := make([]byte, 4096)
	for {
		if _, err := events.Read(buffer); err != nil {
			return
		}
		select {
		case hint <- struct{}{}:
		default:
		}
	}
}
