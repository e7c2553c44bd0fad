package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

const module = "github.com/pando-sync/pando"

// source is one parsed file.
type source struct {
	// path is slash-separated from the repository's root, dir its folder.
	path, dir string
	// foreign tells that the file belongs to another module of the repository.
	foreign bool
	lines   int
	file    *ast.File
	fset    *token.FileSet
}

// test tells whether the file is compiled for tests only.
func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// imports are the paths of the file's imports.
func (s *source) imports() []string {
	paths := make([]string, 0, len(s.file.Imports))
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has read it
		}
		paths = append(paths, p)
	}
	return paths
}

// load parses every Go file under root, whatever its build tags, except what
// the go command ignores too.
func load(root fs.FS) ([]*source, error) {
	var sources []*source
	fset := token.NewFileSet()
	foreign := map[string]bool{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && ignored(entry.Name()):
			return fs.SkipDir
		case entry.IsDir():
			_, err := fs.Stat(root, path.Join(name, "go.mod"))
			foreign[name] = name != "." && (err == nil || foreign[path.Dir(name)])
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		sources = append(sources, &source{
			path: name, dir: dir, foreign: foreign[dir], file: file, fset: fset,
			lines: strings.Count(string(text), "\n"),
		})
		return nil
	})
	return sources, err
}

// ignored tells whether a folder holds no code of ours.
func ignored(dir string) bool {
	return dir == "node_modules" || dir == "testdata" || dir == "vendor" ||
		len(dir) > 1 && (dir[0] == '.' || dir[0] == '_')
}

// packageDir is the folder of an import path of the library's module.
func packageDir(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}
