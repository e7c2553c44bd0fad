package gen

import (
	"cmp"
	"encoding/json"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// maxNumber is the largest integer that is exact in JavaScript.
const maxNumber = 1<<53 - 1

// constantsOf finds the constants of the package's own types of strings and
// integers, by the names of the types.
func constantsOf(pkg *packages.Package) map[string][]Constant {
	found := map[string][]Constant{}
	open := map[string]bool{} // types that have more values than constants
	for _, c := range typedConstants(pkg) {
		name := c.typ.Obj().Name()
		value, ok := jsonOf(c.object.Val())
		if !ok || c.shifted {
			open[name] = true
			continue
		}
		known := slices.ContainsFunc(found[name], func(o Constant) bool { return o.Value == value })
		if !known {
			found[name] = append(found[name], Constant{Name: c.object.Name(), Text: c.text, Value: value})
		}
	}
	for name := range open {
		delete(found, name)
	}
	return found
}

// typedConstant is a constant of a named type of its package.
type typedConstant struct {
	object *types.Const
	typ    *types.Named
	text   string
	// shifted tells that its expression shifts bits.
	shifted bool
}

// typedConstants lists the constants of a package in the order of its files.
func typedConstants(pkg *packages.Package) []typedConstant {
	var all []typedConstant
	files := slices.Clone(pkg.Syntax)
	slices.SortFunc(files, func(f, g *ast.File) int {
		return cmp.Compare(pkg.Fset.Position(f.Package).Filename, pkg.Fset.Position(g.Package).Filename)
	})
	for _, file := range files {
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				if spec, ok := spec.(*ast.ValueSpec); ok {
					all = append(all, specConstants(pkg, group, spec)...)
				}
			}
		}
	}
	return all
}

func specConstants(pkg *packages.Package, group *ast.GenDecl, spec *ast.ValueSpec) []typedConstant {
	comment := cmp.Or(spec.Doc, spec.Comment)
	if comment == nil && !group.Lparen.IsValid() {
		comment = group.Doc
	}
	var all []typedConstant
	for _, name := range spec.Names {
		object, ok := pkg.TypesInfo.Defs[name].(*types.Const)
		if !ok || name.Name == "_" {
			continue
		}
		if named, ok := types.Unalias(object.Type()).(*types.Named); ok && named.Obj().Pkg() == pkg.Types {
			text := strings.TrimSpace(comment.Text())
			all = append(all, typedConstant{object, named, text, slices.ContainsFunc(spec.Values, shifts)})
		}
	}
	return all
}

// shifts tells whether an expression shifts bits, as those of flags do.
func shifts(expr ast.Expr) bool {
	found := false
	ast.Inspect(expr, func(n ast.Node) bool {
		binary, ok := n.(*ast.BinaryExpr)
		found = found || ok && binary.Op == token.SHL
		return !found
	})
	return found
}

// jsonOf is the JSON of a string, or of an integer that JavaScript has.
func jsonOf(v constant.Value) (string, bool) {
	switch v.Kind() {
	case constant.String:
		raw, err := json.Marshal(constant.StringVal(v))
		return string(raw), err == nil
	case constant.Int:
		i, exact := constant.Int64Val(v)
		return v.ExactString(), exact && i <= maxNumber && i >= -maxNumber
	default:
		return "", false
	}
}
