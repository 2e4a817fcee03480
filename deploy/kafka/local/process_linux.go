package local

import "syscall"

// childAttributes puts a broker into a process group of its own, so that an
// interrupt at the terminal does not reach it before its owner, and has the
// kernel kill it when this process dies without stopping it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
