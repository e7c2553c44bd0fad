package gen

import (
	"context"
	"fmt"
	"go/ast"
	"maps"
	"path"
	"reflect"
	"runtime/debug"
	"slices"
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
	const need = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedSyntax |
		packages.NeedImports | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedTypesSizes
	pkgs, err := packages.Load(&packages.Config{Context: ctx, Dir: dir, Mode: need}, patterns...)
	if err != nil {
		return docs, fmt.Errorf("read comments and parameter names: %w: run makefrontend where the go command works", err)
	}
	for _, pkg := range pkgs {
		docs.readPackage(pkg.PkgPath, pkg)
		// A program calls itself main, its tests call it by its path.
		if pkg.Name == "main" {
			docs.Main = path.Base(pkg.PkgPath)
			docs.readPackage("main", pkg)
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
	for _, b := range m.Bindings {
		found[b.Package] = true
		addPackages(found, seen, b.Type.GoType)
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
	case reflect.Pointer, reflect.Slice, reflect.Array:
		addPackages(found, seen, t.Elem())
	case reflect.Map:
		addPackages(found, seen, t.Key())
		addPackages(found, seen, t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			addPackages(found, seen, f.Type)
		}
	default: // made of nothing
	}
	found[t.PkgPath()] = true
}

// readPackage adds the docs of a package under the path that reflection knows.
func (d Docs) readPackage(pkgPath string, pkg *packages.Package) {
	for _, file := range pkg.Syntax {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				d.readMethod(pkgPath, decl)
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					if spec, ok := spec.(*ast.TypeSpec); ok {
						d.readType(pkgPath, decl, spec)
					}
				}
			}
		}
	}
	for name, constants := range constantsOf(pkg) {
		d.edit(pkgPath, name, func(t *TypeDoc) { t.Constants = constants })
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
			if name := embeddedName(f.Type); f.Names == nil && name != "" {
				fields[name] = strings.TrimSpace(text)
			}
		}
	}
	d.edit(pkg, spec.Name.Name, func(t *TypeDoc) {
		t.Text, t.Fields = strings.TrimSpace(comment.Text()), fields
	})
}

// embeddedName is the name of an embedded field.
func embeddedName(typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.Ident:
		return typ.Name
	case *ast.SelectorExpr:
		return typ.Sel.Name
	case *ast.StarExpr:
		return embeddedName(typ.X)
	case *ast.IndexExpr:
		return embeddedName(typ.X)
	case *ast.IndexListExpr:
		return embeddedName(typ.X)
	default:
		return ""
	}
}

func (d Docs) readMethod(pkg string, decl *ast.FuncDecl) {
	if decl.Recv == nil || len(decl.Recv.List) != 1 || !decl.Name.IsExported() {
		return
	}
	receiver := decl.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	switch generic := receiver.(type) {
	case *ast.IndexExpr:
		receiver = generic.X
	case *ast.IndexListExpr:
		receiver = generic.X
	}
	ident, ok := receiver.(*ast.Ident)
	if !ok {
		return
	}
	method := MethodDoc{Text: strings.TrimSpace(decl.Doc.Text())}
	for _, p := range decl.Type.Params.List {
		if p.Names == nil {
			method.Params = append(method.Params, "")
		}
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
