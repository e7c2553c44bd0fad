//go:build !linux

package servers

import "syscall"

// dieWithParent does nothing where the system cannot tell: servers end with their
// tests there, unless those are killed.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
