// Names prints the exported names of Go packages, one a line: functions, types, their fields and methods, values.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

func main() {
	for _, importPath := range os.Args[1:] {
		names, err := exported(importPath)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for _, name := range names {
			fmt.Println(path.Base(importPath) + "." + name)
		}
	}
}

// exported returns the sorted names of a package that the module knows.
func exported(importPath string) ([]string, error) {
	folder, err := exec.Command("go", "list", "-f", "{{.Dir}}", importPath).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", importPath, err)
	}
	withoutTests := func(file fs.FileInfo) bool { return !strings.HasSuffix(file.Name(), "_test.go") }
	packages, err := parser.ParseDir(token.NewFileSet(), strings.TrimSpace(string(folder)), withoutTests, 0)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, found := range packages {
		for _, file := range found.Files {
			for _, declaration := range file.Decls {
				names = append(names, declared(declaration)...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func declared(declaration ast.Decl) []string {
	switch declaration := declaration.(type) {
	case *ast.FuncDecl:
		return function(declaration)
	case *ast.GenDecl:
		var names []string
		for _, spec := range declaration.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, members(spec)...)
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					names = keep(names, "", name.Name)
				}
			}
		}
		return names
	}
	return nil
}

func function(declaration *ast.FuncDecl) []string {
	if declaration.Recv == nil {
		return keep(nil, "", declaration.Name.Name)
	}
	receiver := declaration.Recv.List[0].Type
	if pointer, ok := receiver.(*ast.StarExpr); ok {
		receiver = pointer.X
	}
	if name, ok := receiver.(*ast.Ident); ok && name.IsExported() {
		return keep(nil, name.Name+".", declaration.Name.Name)
	}
	return nil
}

func members(spec *ast.TypeSpec) []string {
	if !spec.Name.IsExported() {
		return nil
	}
	names := []string{spec.Name.Name}
	var fields *ast.FieldList
	switch kind := spec.Type.(type) {
	case *ast.StructType:
		fields = kind.Fields
	case *ast.InterfaceType:
		fields = kind.Methods
	default:
		return names
	}
	for _, field := range fields.List {
		for _, name := range field.Names {
			names = keep(names, spec.Name.Name+".", name.Name)
		}
	}
	return names
}

func keep(names []string, prefix, name string) []string {
	if ast.IsExported(name) {
		return append(names, prefix+name)
	}
	return names
}
