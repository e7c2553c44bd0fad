package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

// templates are the files of what is made. Each is a template whose actions
// stand in {% %}, as pages have {{ }} of their own; its name ends in ".tmpl", and
// has NAME where that of the app belongs.
//
//go:embed all:templates
var templates embed.FS

// names are what the templates are filled with.
type names struct {
	// Project is the project's name, App the app's; Module is the project's.
	Project, App, Module string
	// Library is what go.mod requires, Requirements what that requires.
	Library      library
	Requirements []requirement
}

// Title is the name of what is made, with a capital.
func (n names) Title() string {
	name := n.App
	if name == "" {
		name = n.Project
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// render makes the files of one of the folders of templates, by their paths.
func render(kind string, n names) (map[string][]byte, error) {
	files := map[string][]byte{}
	root := "templates/" + kind
	err := fs.WalkDir(templates, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := renderFile(name, n)
		if err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		target := strings.TrimSuffix(strings.TrimPrefix(name, root+"/"), ".tmpl")
		files[strings.ReplaceAll(target, "NAME", n.App)] = text
		return nil
	})
	return files, err
}

// renderFile makes one file. Go is formatted, as names differ in length.
func renderFile(name string, n names) ([]byte, error) {
	source, err := fs.ReadFile(templates, name)
	if err != nil {
		return nil, err
	}
	parsed, err := template.New(name).Delims("{%", "%}").Parse(string(source))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, n); err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".go.tmpl") {
		return format.Source(text.Bytes())
	}
	return text.Bytes(), nil
}

// write writes new files below a folder, all or none: what is there is never
// replaced.
func write(dir string, files map[string][]byte) (err error) {
	if err := checkNew(dir, files); err != nil {
		return err
	}
	var written []string
	defer func() {
		if err == nil {
			return
		}
		for _, name := range slices.Backward(written) {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // source that its owner's tools read
			return err
		}
		if err := writeNew(target, files[name]); err != nil {
			return err
		}
		written = append(written, target)
	}
	return nil
}

// checkNew names the files that are there already.
func checkNew(dir string, files map[string][]byte) error {
	var taken []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		target := filepath.Join(dir, filepath.FromSlash(name))
		switch there, err := exists(target); {
		case err != nil:
			return err
		case there:
			taken = append(taken, target)
		}
	}
	if len(taken) > 0 {
		return fmt.Errorf("these files exist, and are not replaced: move them away, or choose another name:\n  %s", strings.Join(taken, "\n  "))
	}
	return nil
}

func writeNew(name string, text []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // source that its owner's tools read
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
