package session

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// vector is the memory of one gathering write, kept by the writer so that a
// delivery allocates nothing.
type vector struct {
	parts [64]unix.Iovec
}

func (v *vector) write(fd int, bufs [][]byte) (int, error) {
	if len(bufs) == 1 {
		return unix.Write(fd, bufs[0])
	}
	n := 0
	for ; n < len(bufs) && n < len(v.parts); n++ {
		v.parts[n].Base = unsafe.SliceData(bufs[n]) //nolint:gosec // the kernel reads it during the call below
		v.parts[n].SetLen(len(bufs[n]))
	}
	written, _, errno := unix.Syscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&v.parts[0])), uintptr(n)) //nolint:gosec // as unsafe.Pointer allows for Syscall
	clear(v.parts[:n])
	if errno != 0 {
		return 0, errno
	}
	return int(written), nil
}
