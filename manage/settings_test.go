package manage

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// settings are the flags that have a variable, of all commands, by variable.
func settings(t *testing.T) map[string]*kong.Flag {
	t.Helper()
	var c commands
	parser, err := kong.New(&c, kong.Vars{"db": "the app's", "static": "the app's"})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*kong.Flag{}
	for _, node := range append([]*kong.Node{parser.Model.Node}, parser.Model.Leaves(false)...) {
		for _, flag := range node.Flags {
			for _, variable := range flag.Envs {
				all[variable] = flag
			}
		}
	}
	if len(all) < 10 {
		t.Fatalf("the grammar has %d variables", len(all))
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSettingsAreDocumented holds the guide's table to the grammar: every
// variable, its flag and its default.
func TestSettingsAreDocumented(t *testing.T) {
	rows := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(PANDO_\\w+)` \\| `--(\\w+)` \\| (.*?) \\|").FindAllStringSubmatch(read(t, "../docs/guides/deploying.md"), -1) {
		rows[m[1]] = m[2:]
	}
	all := settings(t)
	for variable, flag := range all {
		row := rows[variable]
		if row == nil {
			t.Errorf("the guide does not have %s", variable)
			continue
		}
		value := strings.Trim(row[1], "`")
		if value == "none" || strings.HasPrefix(value, "as ") {
			value = ""
		}
		if row[0] != flag.Name || value != flag.Default {
			t.Errorf("%s: the guide has --%s and %q, the program --%s and %q", variable, row[0], value, flag.Name, flag.Default)
		}
	}
	for variable := range rows {
		if all[variable] == nil {
			t.Errorf("the guide has %s, which no command reads", variable)
		}
	}
}

// TestDeploymentsSetWhatThereIs finds no variable in the files of deployments that
// no command reads.
func TestDeploymentsSetWhatThereIs(t *testing.T) {
	all := settings(t)
	for _, file := range []string{"compose.yaml", "Dockerfile", "kubernetes.yaml", "commands.sh"} {
		named := regexp.MustCompile(`PANDO_[A-Z_]+`).FindAllString(read(t, "../examples/board/deploy/"+file), -1)
		if len(named) == 0 {
			t.Errorf("%s sets nothing", file)
		}
		slices.Sort(named)
		for _, variable := range slices.Compact(named) {
			if all[variable] == nil {
				t.Errorf("%s has %s, which no command reads", file, variable)
			}
		}
	}
}
