package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	goodName   = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}$`)
	goodModule = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._~-]*(/[a-zA-Z0-9_][a-zA-Z0-9._~-]*)*$`)
)

// checkName tells whether a project or an app may have a name: it becomes a
// folder, a package, and part of the names of types.
func checkName(env *environment, name string) error {
	switch {
	case !goodName.MatchString(name):
		return fmt.Errorf("name %q: want 1 to 31 of a-z 0-9, a letter first", name)
	case token.IsKeyword(name):
		return fmt.Errorf("name %q: it is a word of Go's own: choose another", name)
	case types.Universe.Lookup(name) != nil:
		return fmt.Errorf("name %q: it is declared by Go itself: choose another", name)
	case slices.Contains([]string{"main", "init", "internal", "vendor", "testdata", "pando"}, name):
		return fmt.Errorf("name %q: it means something else to Go or Pando: choose another", name)
	}
	std, err := goCommand(env.ctx, env.dir, nil, "list", "std")
	if err != nil {
		return fmt.Errorf("ask for the packages of the standard library: %w", err)
	}
	for pkg := range strings.FieldsSeq(string(std)) {
		elements := strings.Split(pkg, "/")
		if slices.Contains(elements, name) && !slices.Contains(elements, "internal") && elements[0] != "vendor" {
			return fmt.Errorf("name %q: the standard library has %s: choose another", name, pkg)
		}
	}
	return nil
}

func checkModule(module string) error {
	if !goodModule.MatchString(module) {
		return fmt.Errorf("module %q is no path of a Go module: want one like github.com/me/demo", module)
	}
	return nil
}

// checkFree tells whether an app's name is free in a project: that it is no
// package there, and nothing that the package main declares or imports.
func checkFree(dir, name string) error {
	found, err := filepath.Glob(filepath.Join(dir, name, "*.go"))
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("name %q: there is a package in this folder, with %s: choose another", name, filepath.Base(found[0]))
	}
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("read the project: %w", err)
		}
		if what, taken := declared(file)[name]; taken {
			return fmt.Errorf("name %q: %s %s it: choose another", name, filepath.Base(source), what)
		}
	}
	return nil
}

// declared are the names that a file declares or imports, each with which of it.
func declared(file *ast.File) map[string]string {
	all := map[string]string{}
	for _, spec := range file.Imports {
		if importPath, err := strconv.Unquote(spec.Path.Value); err == nil {
			all[path.Base(importPath)] = "imports"
		}
		if spec.Name != nil {
			all[spec.Name.Name] = "imports"
		}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				all[d.Name.Name] = "declares"
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					all[s.Name.Name] = "declares"
				case *ast.ValueSpec:
					for _, n := range s.Names {
						all[n.Name] = "declares"
					}
				}
			}
		}
	}
	return all
}

// exists tells whether something has a path.
func exists(name string) (bool, error) {
	_, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
