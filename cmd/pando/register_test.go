package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestRegister(t *testing.T) {
	const line = `{name: "shop", urls: shop.URLs},`
	for _, c := range []struct{ name, text, want string }{
		{
			"among others",
			"package main\n\nimport (\n\t\"github.com/pando-sync/pando\"\n\n\t\"github.com/me/demo/api\"\n\t\"github.com/me/demo/web\"\n)\n\nvar apps = []app{\n\t{name: \"api\"}, // first\n}\n",
			"package main\n\nimport (\n\t\"github.com/pando-sync/pando\"\n\n\t\"github.com/me/demo/api\"\n\t\"github.com/me/demo/shop\"\n\t\"github.com/me/demo/web\"\n)\n\nvar apps = []app{\n\t{name: \"api\"}, // first\n\t{name: \"shop\", urls: shop.URLs},\n}\n",
		},
		{
			"as the first",
			"package main\n\nimport (\n\t\"net/http\"\n)\n\nvar other = 1\n\nvar apps = []app{}\n",
			"package main\n\nimport (\n\t\"github.com/me/demo/shop\"\n\t\"net/http\"\n)\n\nvar other = 1\n\nvar apps = []app{{name: \"shop\", urls: shop.URLs}}\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), appsFile)
			put(t, file, c.text)
			got, err := register(file, "github.com/me/demo/shop", line)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("the list is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestRegisterTellsWhatToAdd(t *testing.T) {
	const line = `{name: "shop", urls: shop.URLs},`
	for text, want := range map[string]string{
		"package main\n\nimport \"net/http\"\n":      line,
		"package main\n\nvar apps = []app{}\n":       "imports nothing",
		"package main\n\nvar apps = []app{\n":        "read the list of apps",
		"package main\n\nfunc apps() {}\n\nvar x, y": "read the list of apps",
	} {
		file := filepath.Join(t.TempDir(), appsFile)
		put(t, file, text)
		if _, err := register(file, "demo/shop", line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
