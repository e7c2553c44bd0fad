package oracle_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// TestState compares with JSON that was written by hand.
func TestState(t *testing.T) {
	shape := world.Shape{}
	db, err := sql.Open("sqlite", shape.DSN(filepath.Join(t.TempDir(), "oracle.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx := world.Tx{SQL: append(shape.Create(),
		"CREATE TABLE pando_log (seq INTEGER PRIMARY KEY AUTOINCREMENT)",
		"INSERT INTO pando_log VALUES (17)",
		"DELETE FROM comments", "DELETE FROM cards",
		"INSERT INTO cards VALUES (2, 4, 'second', 1.5, 1, 2.5, 99, 'bug'), (1, 4, 'first', 1.5, 0, NULL, 98, 'none'), (3, 4, '<\"é', NULL, 0, 4, 3, NULL)",
		"INSERT INTO covers VALUES ('00000000-0000-4000-8000-000000000002', 2, 'light', 1), ('00000000-0000-4000-8000-000000000003', 2, 'heavy', 2)",
		"INSERT INTO comments VALUES (8, 3, 1, 'x'), (7, 3, NULL, 'y')",
	)}
	if err := world.Perform(t.Context(), db, tx); err != nil {
		t.Fatal(err)
	}
	data, err := oracle.Read(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if data.Head != 17 {
		t.Errorf("the head is %d", data.Head)
	}
	for route, want := range map[string]string{
		"boards/3": `{"id":"3","name":"three","owner":null,"lists":[{"id":"4","name":"later","cards":[` +
			`{"id":"3","title":"<\"é","done":false,"estimate":4,"label":null,"assignee":{"id":"3","name":"emmy"},"cover":null,` +
			`"comments":[{"id":"7","body":"y","author":null},{"id":"8","body":"x","author":{"id":"1","name":"ada"}}]},` +
			`{"id":"1","title":"first","done":false,"estimate":null,"label":null,"assignee":null,` +
			`"cover":{"id":"00000000-0000-4000-8000-000000000001","url":"one.png"},"comments":[]},` +
			`{"id":"2","title":"second","done":true,"estimate":2.5,"label":{"code":"bug","color":"red"},"assignee":null,` +
			`"cover":{"id":"00000000-0000-4000-8000-000000000003","url":"heavy"},"comments":[]}]}]}`,
		"boards/4": `null`,
		"people/3": `{"id":"3","name":"emmy","tasks":[{"id":"3","title":"<\"é","list":{"id":"4","name":"later","board":{"id":"3","name":"three"}}}]}`,
		"people/2": `{"id":"2","name":"grace","tasks":[]}`,
	} {
		if got := data.State(route); got != want {
			t.Errorf("%s is\n%s, want\n%s", route, got, want)
		}
	}
}
