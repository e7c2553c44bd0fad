package gen

import (
	"context"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/pando-sync/pando/schema"
)

// LoadDocs reads the docs of every type that the manifest's files mention from
// the packages' source, as the go command in dir finds it. Packages without
// source are left out; an error means that the go command could not be run.
func LoadDocs(ctx context.Context, dir string, m *schema.Manifest) (Docs, error) {
	program := "."
	if info, ok := debug.ReadBuildInfo(); ok && strings.Contains(info.Path, "/") {
		program = info.Path
	}
	var patterns []string
	for _, pkg := range packagesOf(m) {
		if pkg == "main" {
			pkg = program
		}
		patterns = append(patterns, pkg)
	}
	docs := Docs{Types: map[string]TypeDoc{}}
	if len(patterns) == 0 {
		return docs, nil
	}
	const need = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedSyntax
	pkgs, err := packages.Load(&packages.Config{Context: ctx, Dir: dir, Mode: need}, patterns...)
	if err != nil {
		return docs, fmt.Errorf("read comments and parameter names: %w: run makefrontend where the go command works", err)
	}
	for _, pkg := range pkgs {
		for _, file := range pkg.Syntax {
			docs.readFile(pkg.PkgPath, file)
			// A program calls itself main, its tests call it by its path.
			if pkg.Name == "main" {
				docs.Main = path.Base(pkg.PkgPath)
				docs.readFile("main", file)
			}
		}
	}
	return docs, nil
}

// packagesOf lists the packages of all named types that files may mention.
func packagesOf(m *schema.Manifest) []string {
	found := map[string]bool{}
	seen := map[reflect.Type]bool{}
	for _, c := range m.Channels {
		found[c.Package] = true
		for _, l := range c.Tree.Layers {
			addPackages(found, seen, l.Type.GoType)
		}
		addPackages(found, seen, c.Runtime)
		for _, action := range c.Actions {
			for _, t := range append(slices.Clone(action.Args), action.Result) {
				addPackages(found, seen, t)
			}
		}
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}

func addPackages(found map[string]bool, seen map[reflect.Type]bool, t reflect.Type) {
	if t == nil || seen[t] || opaque(t) != "" {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		addPackages(found, seen, t.Elem())
	case reflect.Struct:
		found[t.PkgPath()] = true
		for f := range t.Fields() {
			addPackages(found, seen, f.Type)
		}
	case reflect.String:
		found[t.PkgPath()] = true
	default: // made of nothing
	}
}

// readFile adds the docs of one file of a package.
func (d Docs) readFile(pkg string, file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			d.readMethod(pkg, decl)
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					d.readType(pkg, decl, spec)
				case *ast.ValueSpec:
					if decl.Tok == token.CONST {
						d.readConstants(pkg, spec)
					}
				}
			}
		}
	}
}

// edit changes the docs of one type, which may be declared later or in
// another file than what is read of it.
func (d Docs) edit(pkg, name string, change func(*TypeDoc)) {
	key := pkg + "." + name
	t := d.Types[key]
	change(&t)
	d.Types[key] = t
}

func (d Docs) readType(pkg string, decl *ast.GenDecl, spec *ast.TypeSpec) {
	comment := spec.Doc
	if comment == nil && len(decl.Specs) == 1 {
		comment = decl.Doc
	}
	fields := map[string]string{}
	if s, ok := spec.Type.(*ast.StructType); ok {
		for _, f := range s.Fields.List {
			text := f.Doc.Text()
			if text == "" {
				text = f.Comment.Text()
			}
			for _, name := range f.Names {
				fields[name.Name] = strings.TrimSpace(text)
			}
		}
	}
	d.edit(pkg, spec.Name.Name, func(t *TypeDoc) {
		t.Text, t.Fields = strings.TrimSpace(comment.Text()), fields
	})
}

func (d Docs) readMethod(pkg string, decl *ast.FuncDecl) {
	if decl.Recv == nil || len(decl.Recv.List) != 1 || !decl.Name.IsExported() {
		return
	}
	receiver := decl.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	ident, ok := receiver.(*ast.Ident)
	if !ok {
		return
	}
	method := MethodDoc{Text: strings.TrimSpace(decl.Doc.Text())}
	for _, p := range decl.Type.Params.List {
		for _, name := range p.Names {
			method.Params = append(method.Params, name.Name)
		}
	}
	if len(method.Params) > 0 {
		method.Params = method.Params[1:] // the context
	}
	d.edit(pkg, ident.Name, func(t *TypeDoc) {
		if t.Methods == nil {
			t.Methods = map[string]MethodDoc{}
		}
		t.Methods[decl.Name.Name] = method
	})
}

// readConstants reads constants such as Open Status = "open".
func (d Docs) readConstants(pkg string, spec *ast.ValueSpec) {
	ident, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	for _, value := range spec.Values {
		lit, ok := value.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			continue
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil {
			continue
		}
		d.edit(pkg, ident.Name, func(t *TypeDoc) {
			if !slices.Contains(t.Strings, s) {
				t.Strings = append(t.Strings, s)
			}
		})
	}
}
