package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// appsFile is where a project lists its apps, in the variable appsList.
const (
	appsFile = "apps.go"
	appsList = "apps"
)

// register returns a project's list of apps with one more, and its package
// imported.
func register(file, importPath, line string) ([]byte, error) {
	text, err := os.ReadFile(file) //nolint:gosec // a file of the project in the working directory
	if err != nil {
		return nil, fmt.Errorf("read the list of apps: %w", err)
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("read the list of apps: %w", err)
	}
	end, found := endOfList(parsed)
	if !found {
		return nil, fmt.Errorf("%s has no list \"var %s = []app{…}\": put it back, with this in it:\n\n\t%s", file, appsList, line)
	}
	last, found := lastImport(parsed, importPath)
	if !found {
		return nil, errors.New(file + " imports nothing: import at least what it lists")
	}
	// From the end, so that the places before it stay.
	text = insert(text, files.Position(end).Offset, "\t"+line+"\n")
	text = insert(text, files.Position(last).Offset, "\n\t"+strconv.Quote(importPath))
	out, err := format.Source(text)
	if err != nil {
		return nil, fmt.Errorf("add to the list of apps: %w", err)
	}
	return out, nil
}

// endOfList is the place of the brace that ends the list.
func endOfList(file *ast.File) (token.Pos, bool) {
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.VAR {
			continue
		}
		for _, spec := range d.Specs {
			s, ok := spec.(*ast.ValueSpec)
			if !ok || len(s.Names) != 1 || s.Names[0].Name != appsList || len(s.Values) != 1 {
				continue
			}
			if list, ok := s.Values[0].(*ast.CompositeLit); ok {
				return list.Rbrace, true
			}
		}
	}
	return token.NoPos, false
}

// lastImport is the end of the last import of the project's own, or if there is
// none, of the last import.
func lastImport(file *ast.File, importPath string) (token.Pos, bool) {
	if len(file.Imports) == 0 {
		return token.NoPos, false
	}
	module := path.Dir(importPath)
	for _, spec := range slices.Backward(file.Imports) {
		if strings.HasPrefix(spec.Path.Value, `"`+module+"/") {
			return spec.End(), true
		}
	}
	return file.Imports[len(file.Imports)-1].End(), true
}

func insert(text []byte, at int, more string) []byte {
	return slices.Insert(slices.Clone(text), at, []byte(more)...)
}
