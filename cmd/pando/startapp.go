package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// startapp is the command that adds an app to a project.
type startapp struct {
	Name  string `arg:"" help:"What it is called, and its folder: small letters and digits, a letter first."`
	Pages bool   `help:"Make an app of templates, routes and static files only."`
}

// Run writes the app's files and puts it in the project's list of apps.
func (c *startapp) Run(env *environment) error {
	module, err := moduleOf(env)
	if err != nil {
		return err
	}
	if err := checkName(env, c.Name); err != nil {
		return err
	}
	if err := checkFree(env.dir, c.Name); err != nil {
		return err
	}
	template, line := "app", appLine(c.Name)
	if c.Pages {
		template, line = "pages", pagesLine(c.Name)
	}
	files, err := render(template, names{Module: module, App: c.Name})
	if err != nil {
		return err
	}
	list, err := register(filepath.Join(env.dir, appsFile), module+"/"+c.Name, line)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(env.dir, c.Name), files); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(env.dir, appsFile), list, 0o644); err != nil { //nolint:gosec // source that its owner's tools read
		return fmt.Errorf("the app is written, but not registered: add this to %s:\n\n\t%s\n\n%w", appsFile, line, err)
	}
	fmt.Fprintf(env.stdout, "%s is made, and in %s:\n\n\t%s\n\n", c.Name, appsFile, line)
	if c.Pages {
		fmt.Fprintf(env.stdout, "Its page is at /%[1]s/, its static files are in %[1]s/static.\n", c.Name)
	} else {
		fmt.Fprintf(env.stdout, "Its channel is %q, with its rows at GET /state/%[1]s; its streams are at /streams/%[1]s/.\n", c.Name)
	}
	return nil
}

func appLine(name string) string {
	return fmt.Sprintf("{name: %q, migrate: %[2]s.Migrate, channels: %[2]s.Channels, streams: %[2]s.Streams},", name, name)
}

func pagesLine(name string) string {
	return fmt.Sprintf("{name: %q, urls: %[2]s.URLs, static: %[2]s.Static()},", name, name)
}

// moduleOf is the module of the project in the working directory.
func moduleOf(env *environment) (string, error) {
	for _, file := range []string{"go.mod", appsFile} {
		if _, err := os.Stat(filepath.Join(env.dir, file)); err != nil {
			return "", fmt.Errorf("here is no project: go to a folder that \"pando startproject\" has made: %w", err)
		}
	}
	out, err := goCommand(env.ctx, env.dir, nil, "mod", "edit", "-json")
	if err != nil {
		return "", fmt.Errorf("read go.mod: %w", err)
	}
	var mod struct {
		Module struct {
			Path string `json:"Path"`
		} `json:"Module"`
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return "", fmt.Errorf("read go.mod: %w", err)
	}
	return mod.Module.Path, nil
}
