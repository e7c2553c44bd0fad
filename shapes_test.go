package pando_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

// A course with a relation of every shape.
type (
	Course struct {
		ID       int64    `json:"id"`
		Name     string   `json:"name" pando:"represent:Title"`
		Pupils   []*Pupil `json:"pupils" pando:"through:marks,order:name"`
		Topics   []Topic  `json:"topics" pando:"filter:parent_id=null,order:id"`
		Marks    []Mark   `json:"-"`
		Count    int      `json:"count" pando:"count:Marks"`
		Good     int      `json:"good" pando:"count:Marks,filter:points>=5"`
		Sum      int64    `json:"sum" pando:"sum:Marks.Points"`
		Best     *int64   `json:"best" pando:"max:Marks.Points"`
		Spread   int64    `json:"spread" pando:"computed:Difference,of:Marks"`
		Finished bool     `json:"finished" pando:"computed:IsFinished"`
	}
	Pupil struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	// Mark has a key of two columns and is deleted softly.
	Mark struct {
		CourseID  int64        `json:"course_id" pando:"key"`
		PupilID   string       `json:"pupil_id" pando:"key"`
		Points    int64        `json:"points"`
		DeletedAt sql.NullTime `json:"-" bun:",soft_delete"`
		Remarks   []Remark     `json:"remarks"`
	}
	Remark struct {
		ID   int64  `json:"id"`
		Text string `json:"text"`
	}
	// Topic stands once more below itself.
	Topic struct {
		ID       int64   `json:"id"`
		ParentID *int64  `json:"-"`
		Children []Topic `json:"children" pando:"link:parent_id,depth:1,order:-id"`
	}
)

func (c Course) Title() string { return strings.ToUpper(c.Name) }

func (c Course) IsFinished() bool { return strings.HasSuffix(c.Name, "!") }

func (c Course) Difference() int64 {
	if len(c.Marks) == 0 {
		return 0
	}
	return c.Marks[0].Points - c.Marks[len(c.Marks)-1].Points
}

type CourseChannel struct {
	pando.Channel[Course, pando.NoRuntime]
}

func (*CourseChannel) HasPermission(context.Context) (bool, error) { return true, nil }

type MarkChannel struct {
	pando.Channel[Mark, pando.NoRuntime]
}

func (*MarkChannel) HasPermission(context.Context) (bool, error) { return true, nil }

const courseTables = `
CREATE TABLE courses (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE pupils (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE marks (course_id INTEGER, pupil_id TEXT, points INTEGER NOT NULL, deleted_at TIMESTAMP, PRIMARY KEY (course_id, pupil_id));
CREATE TABLE remarks (id INTEGER PRIMARY KEY, text TEXT NOT NULL, mark_course_id INTEGER, mark_pupil_id TEXT);
CREATE TABLE topics (id INTEGER PRIMARY KEY, parent_id INTEGER, course_id INTEGER);
INSERT INTO courses VALUES (1, 'go'), (2, 'sql!');
INSERT INTO pupils VALUES ('a,b', 'Zoe'), ('c', 'Ann'), ('d', 'Ben');
INSERT INTO marks VALUES (1, 'a,b', 3, NULL), (1, 'c', 7, NULL), (1, 'd', 9, '2024-02-29 12:00:00'), (2, 'd', 5, NULL);
INSERT INTO remarks VALUES (1, 'fine', 1, 'a,b'), (2, 'other', 1, 'c');
INSERT INTO topics VALUES (1, NULL, 1), (2, 1, 1), (3, 1, 1), (4, 3, 1), (5, NULL, 2);
`

func openSchool(t *testing.T) (*sql.DB, *pandotest.Client) {
	t.Helper()
	db := pandotest.Database(t)
	exec(t, db, courseTables)
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: names{}})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("courses/{id}", pando.For(func() *CourseChannel { return &CourseChannel{} }))
	app.Handle("marks/{id}", pando.For(func() *MarkChannel { return &MarkChannel{} }, pando.Include("Remarks")))
	return db, pandotest.Serve(t, app).Connect(t, "1")
}

// showing waits until the state's JSON is what is wanted.
func showing[S any](t *testing.T, s *pandotest.Stream[S], want string) {
	t.Helper()
	s.Wait(t, want, func(*S) bool { return string(s.JSON()) == want })
}

// TestComputedFieldsAndRelationsThroughTables follows a course whose pupils,
// counts and sums change with the rows between.
func TestComputedFieldsAndRelationsThroughTables(t *testing.T) {
	db, client := openSchool(t)
	s := pandotest.Open[Course](t, client, "courses/1")
	const topics = `"topics":[{"id":"1","children":[{"id":"3"},{"id":"2"}]}],`
	showing(t, s, `{"id":"1","name":"GO","pupils":[{"id":"c","name":"Ann"},{"id":"a,b","name":"Zoe"}],`+topics+
		`"count":2,"good":1,"sum":10,"best":7,"spread":-4,"finished":false}`)
	exec(t, db, "UPDATE marks SET deleted_at = NULL WHERE pupil_id = 'd'")
	showing(t, s, `{"id":"1","name":"GO","pupils":[{"id":"c","name":"Ann"},{"id":"d","name":"Ben"},{"id":"a,b","name":"Zoe"}],`+topics+
		`"count":3,"good":2,"sum":19,"best":9,"spread":-6,"finished":false}`)
	exec(t, db, "BEGIN; UPDATE marks SET points = 4 WHERE pupil_id = 'c'; UPDATE marks SET course_id = 1 WHERE course_id = 2 AND pupil_id = 'x';"+
		"UPDATE pupils SET name = 'Abe' WHERE id = 'a,b'; DELETE FROM marks WHERE course_id = 1 AND pupil_id = 'd'; UPDATE courses SET name = 'go!' WHERE id = 1; COMMIT")
	showing(t, s, `{"id":"1","name":"GO!","pupils":[{"id":"a,b","name":"Abe"},{"id":"c","name":"Ann"}],`+topics+
		`"count":2,"good":0,"sum":7,"best":4,"spread":-1,"finished":true}`)
	exec(t, db, "BEGIN; DELETE FROM marks; UPDATE topics SET parent_id = 2 WHERE id = 3; COMMIT")
	showing(t, s, `{"id":"1","name":"GO!","pupils":[],"topics":[{"id":"1","children":[{"id":"2"}]}],"count":0,"good":0,"sum":0,"best":null,"spread":0,"finished":true}`)
}

// TestKeyOfSeveralColumns follows a row whose key is a pair.
func TestKeyOfSeveralColumns(t *testing.T) {
	db, client := openSchool(t)
	s := pandotest.Open[Mark](t, client, "marks/1,a%252Cb", schema.Include("Remarks"))
	showing(t, s, `{"course_id":"1","pupil_id":"a,b","points":3,"remarks":[{"id":"1","text":"fine"}]}`)
	exec(t, db, "UPDATE remarks SET mark_pupil_id = 'a,b' WHERE id = 2")
	showing(t, s, `{"course_id":"1","pupil_id":"a,b","points":3,"remarks":[{"id":"1","text":"fine"},{"id":"2","text":"other"}]}`)
	exec(t, db, "BEGIN; UPDATE marks SET pupil_id = 'e' WHERE pupil_id = 'a,b'; UPDATE marks SET pupil_id = 'a,b', points = 8 WHERE pupil_id = 'e';"+
		"UPDATE remarks SET mark_course_id = 2 WHERE id = 1; COMMIT")
	showing(t, s, `{"course_id":"1","pupil_id":"a,b","points":8,"remarks":[{"id":"2","text":"other"}]}`)
}
