package world

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Shape is what differs between the databases of two seeds.
type Shape struct {
	// ForeignKeys has links checked and deletions cascade. Without them links
	// may dangle, and children come before their parents.
	ForeignKeys bool
	// Recursive sets recursive_triggers, which decides what a REPLACE fires.
	Recursive bool
	// Trigger adds a trigger of the application's own.
	Trigger bool
	// Fat makes texts of kilobytes.
	Fat bool
}

// RandomShape draws a shape.
func RandomShape(rng *rand.Rand) Shape {
	return Shape{ForeignKeys: rng.IntN(3) == 0, Recursive: rng.IntN(2) == 0, Trigger: rng.IntN(4) == 0, Fat: rng.IntN(8) == 0}
}

// DSN names a database file with the connection settings of the shape.
func (s Shape) DSN(file string) string {
	flag := map[bool]int{true: 1}
	return fmt.Sprintf("file:%s?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"+
		"&_pragma=foreign_keys(%d)&_pragma=recursive_triggers(%d)", file, flag[s.ForeignKeys], flag[s.Recursive])
}

// tables are the columns of each table; {…} stands with foreign keys only.
var tables = []struct{ name, columns string }{
	{"users", `id INTEGER PRIMARY KEY, name TEXT NOT NULL, handle TEXT UNIQUE`},
	{"labels", `code TEXT NOT NULL PRIMARY KEY, color TEXT NOT NULL`},
	{"boards", `id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner_id INTEGER{ REFERENCES users ON DELETE SET NULL ON UPDATE CASCADE}`},
	{"lists", `id INTEGER PRIMARY KEY, board_id INTEGER{ REFERENCES boards ON DELETE CASCADE ON UPDATE CASCADE}, ` +
		`name TEXT NOT NULL, position REAL`},
	{"cards", `id INTEGER PRIMARY KEY, list_id INTEGER{ REFERENCES lists ON DELETE CASCADE ON UPDATE CASCADE}, ` +
		`title TEXT NOT NULL, position REAL, done INTEGER NOT NULL DEFAULT 0, estimate REAL, ` +
		`assignee_id INTEGER{ REFERENCES users ON DELETE SET NULL ON UPDATE CASCADE}, ` +
		`label_code TEXT{ REFERENCES labels ON DELETE SET NULL ON UPDATE CASCADE}`},
	{"covers", `id TEXT NOT NULL PRIMARY KEY, card_id INTEGER{ REFERENCES cards ON DELETE CASCADE ON UPDATE CASCADE}, ` +
		`url TEXT NOT NULL, weight INTEGER NOT NULL DEFAULT 0`},
	{"comments", `id INTEGER PRIMARY KEY, card_id INTEGER{ REFERENCES cards ON DELETE CASCADE ON UPDATE CASCADE}, ` +
		`author_id INTEGER{ REFERENCES users ON DELETE SET NULL ON UPDATE CASCADE}, body TEXT NOT NULL`},
}

func (s Shape) create(name, columns string) string {
	keep := strings.NewReplacer("{", "", "}", "")
	if !s.ForeignKeys {
		for {
			before, rest, found := strings.Cut(columns, "{")
			if !found {
				break
			}
			_, after, _ := strings.Cut(rest, "}")
			columns = before + after
		}
	}
	return "CREATE TABLE " + name + " (" + keep.Replace(columns) + ")"
}

// Create makes the tables with some rows to begin with.
func (s Shape) Create() []string {
	var all []string
	for _, t := range tables {
		all = append(all, s.create(t.name, t.columns))
	}
	all = append(all, indexes...)
	if s.Trigger {
		all = append(all, appTrigger)
	}
	return append(all, seeded...)
}

var indexes = []string{
	"CREATE INDEX lists_board ON lists(board_id)",
	"CREATE INDEX cards_list ON cards(list_id)",
	"CREATE INDEX cards_assignee ON cards(assignee_id)",
	"CREATE INDEX covers_card ON covers(card_id)",
	"CREATE INDEX comments_card ON comments(card_id)",
}

const appTrigger = "CREATE TRIGGER counts AFTER INSERT ON comments BEGIN " +
	"UPDATE cards SET estimate = coalesce(estimate, 0) + 0.25 WHERE id = NEW.card_id; END"

var seeded = []string{
	"INSERT INTO users VALUES (1, 'ada', 'a'), (2, 'grace', 'g'), (3, 'emmy', NULL)",
	"INSERT INTO labels VALUES ('bug', 'red'), ('Idee für später', 'blau')",
	"INSERT INTO boards VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', NULL)",
	"INSERT INTO lists VALUES (1, 1, 'todo', 1), (2, 1, 'done', 2), (3, 2, 'todo', 1), (4, 3, 'later', NULL)",
	"INSERT INTO cards (id, list_id, title, position, assignee_id, label_code) VALUES " +
		"(1, 1, 'a', 1, 1, 'bug'), (2, 1, 'b', 2, 2, NULL), (3, 1, 'c', 2, NULL, NULL), (4, 2, 'd', 1, 1, 'bug'), " +
		"(5, 3, 'e', 1, 3, NULL), (6, 3, 'f', 2, 2, 'Idee für später'), (7, 4, 'g', 1, 1, NULL)",
	"INSERT INTO covers VALUES ('00000000-0000-4000-8000-000000000001', 1, 'one.png', 1)",
	"INSERT INTO comments VALUES (1, 1, 1, 'x'), (2, 1, 2, 'y'), (3, 4, 1, 'z'), (4, 5, NULL, 'w')",
}

// Rebuild changes a table the way of SQLite's migrations: create, copy, drop,
// rename. It must run on a connection that does not check foreign keys.
func (s Shape) Rebuild(table string) []string {
	for _, t := range tables {
		if t.name != table {
			continue
		}
		all := []string{
			s.create("rebuilt", t.columns),
			"INSERT INTO rebuilt SELECT * FROM " + table, //nolint:unqueryvet // all columns are meant
			"DROP TABLE " + table,
			"ALTER TABLE rebuilt RENAME TO " + table,
		}
		for _, index := range indexes {
			if strings.Contains(index, " ON "+table+"(") {
				all = append(all, index)
			}
		}
		if table == "comments" && s.Trigger {
			all = append(all, appTrigger)
		}
		return all
	}
	panic("world: no table " + table)
}
