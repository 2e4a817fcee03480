package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"

	"tracksource/report/render"
)

// openPage opens the page of a package in the browser. The path is an argument of the
// system's opener and passes through no shell.
func openPage(ctx context.Context, m *madePackage) error {
	page := filepath.Join(m.dir, render.Page)
	name, args := opener(runtime.GOOS)
	// The opener may stay for as long as the browser is open.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, append(args, page)...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("--open: %w; the page is %s", err, page)
	}
	return cmd.Process.Release()
}

// opener is the program that opens files as their users do.
func opener(system string) (name string, args []string) {
	switch system {
	case "darwin":
		return "open", nil
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler"}
	}
	return "xdg-open", nil
}
