package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a child whose end is awaited by a goroutine of its own.
type process struct {
	cmd  *exec.Cmd
	pid  int
	done chan struct{} // Closed when it has ended.
	err  error         // How it ended; read after done.
}

// startProcess runs a command with its output appended to a file.
func startProcess(logPath, name string, args ...string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(name, args...) //nolint:noctx // Its life is ended by kill and terminate, not by whoever started it.
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = childAttributes()
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child with the thread that started it (see
		// childAttributes), so that thread stays here for as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			if p.err == nil {
				p.err = errors.New("exit status 0")
			}
		}
		_ = log.Close()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	p.pid = p.cmd.Process.Pid
	return p, nil
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // It may have ended by itself.
	<-p.done
}

// terminate asks the process to end and kills it if it has not by then.
func (p *process) terminate(patience time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
	}
}
