package servers

import "syscall"

// dieWithParent has the system send a signal to the process when this one ends.
func dieWithParent(attr *syscall.SysProcAttr, death syscall.Signal) { attr.Pdeathsig = death }
