package servers

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// awaitStop waits until a process of ours that was told to stand still does.
func awaitStop(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			if err != nil {
				panic(fmt.Sprintf("wait for a server of ours to stand still: %v", err))
			}
			return
		}
	}
}
