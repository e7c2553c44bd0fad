package main

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed unbuilt/index.html
var unbuilt embed.FS

// page is the built front end: the folder that the command line names, else
// frontend/dist, else one page that says how to build it.
func page(dir string) (fs.FS, error) {
	if dir == "" {
		dir = inFolder("frontend/dist")
	}
	if _, err := os.Stat(filepath.Join(dir, "index.html")); err != nil {
		return fs.Sub(unbuilt, "unbuilt")
	}
	return os.DirFS(dir), nil
}

// inFolder finds a path of this example from the repository's root or from the
// example's own folder.
func inFolder(path string) string {
	if _, err := os.Stat("examples/board"); err == nil {
		return filepath.Join("examples/board", path)
	}
	return path
}
