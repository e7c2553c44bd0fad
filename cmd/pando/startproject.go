package main

import (
	"fmt"
	"path/filepath"
)

// startproject is the command that makes a project.
type startproject struct {
	Name    string `arg:"" help:"What it is called, and its folder: small letters and digits, a letter first."`
	Module  string `help:"Its Go module, such as github.com/me/demo; the name unless given." placeholder:"PATH"`
	Library string `help:"Pando itself: a checkout's folder, or a version such as v1.2.0; what this program was built from unless given." placeholder:"DIR|VERSION"`
}

// Run writes the project's files and finds its modules.
func (c *startproject) Run(env *environment) error {
	module := c.Module
	if module == "" {
		module = c.Name
	}
	if err := checkName(env, c.Name); err != nil {
		return err
	}
	if err := checkModule(module); err != nil {
		return err
	}
	lib, err := findLibrary(env.dir, c.Library)
	if err != nil {
		return err
	}
	needed, err := lib.requirements(env.ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(env.dir, c.Name)
	files, err := render("project", names{Project: c.Name, Module: module, Library: lib, Requirements: needed})
	if err != nil {
		return err
	}
	if err := lib.sums(files); err != nil {
		return err
	}
	if err := write(dir, files); err != nil {
		return err
	}
	if err := lib.resolve(env.ctx, dir); err != nil {
		return fmt.Errorf("the project is written, but not all of its modules were found: run \"go mod tidy\" in %s: %w", c.Name, err)
	}
	fmt.Fprintf(env.stdout, `%[1]s is made. To see it at http://127.0.0.1:8000:

  cd %[1]s
  go run . createuser ada
  make run
`, c.Name)
	return nil
}
