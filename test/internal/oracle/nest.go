package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// State is the JSON of GET /state for a route, "boards/1" or "people/1", and
// "null" where the anchor does not exist. Data is used by one goroutine.
func (d *Data) State(route string) string {
	kind, id, _ := strings.Cut(route, "/")
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("oracle: route %q has no number", route))
	}
	var w writer
	if kind == "people" {
		w.one(d.group("users", "id", n), func(r Row) { d.person(&w, r) })
	} else {
		w.one(d.group("boards", "id", n), func(r Row) { d.board(&w, r) })
	}
	return w.String()
}

func (d *Data) board(w *writer, r Row) {
	w.member("id", text(r["id"]))
	w.member("name", r["name"])
	w.name("owner")
	d.user(w, r["owner_id"])
	w.name("lists")
	w.many(d.group("lists", "board_id", r["id"]), func(r Row) {
		w.member("id", text(r["id"]))
		w.member("name", r["name"])
		w.name("cards")
		w.many(d.group("cards", "list_id", r["id"]), func(r Row) { d.card(w, r) })
	})
}

func (d *Data) card(w *writer, r Row) {
	w.member("id", text(r["id"]))
	w.member("title", r["title"])
	w.member("done", r["done"] != int64(0))
	w.member("estimate", r["estimate"])
	w.name("label")
	w.one(d.group("labels", "code", r["label_code"]), func(r Row) {
		w.member("code", r["code"])
		w.member("color", r["color"])
	})
	w.name("assignee")
	d.user(w, r["assignee_id"])
	w.name("cover")
	w.one(d.group("covers", "card_id", r["id"]), func(r Row) {
		w.member("id", r["id"])
		w.member("url", r["url"])
	})
	w.name("comments")
	w.many(d.group("comments", "card_id", r["id"]), func(r Row) {
		w.member("id", text(r["id"]))
		w.member("body", r["body"])
		w.name("author")
		d.user(w, r["author_id"])
	})
}

func (d *Data) user(w *writer, id any) {
	w.one(d.group("users", "id", id), func(r Row) {
		w.member("id", text(r["id"]))
		w.member("name", r["name"])
	})
}

func (d *Data) person(w *writer, r Row) {
	w.member("id", text(r["id"]))
	w.member("name", r["name"])
	w.name("tasks")
	w.many(d.group("cards", "assignee_id", r["id"]), func(r Row) {
		w.member("id", text(r["id"]))
		w.member("title", r["title"])
		w.name("list")
		w.one(d.group("lists", "id", r["list_id"]), func(r Row) {
			w.member("id", text(r["id"]))
			w.member("name", r["name"])
			w.name("board")
			w.one(d.group("boards", "id", r["board_id"]), func(r Row) {
				w.member("id", text(r["id"]))
				w.member("name", r["name"])
			})
		})
	})
}

// text is an integer key as it travels.
func text(key any) string { return fmt.Sprint(key) }

// writer writes JSON without spaces, members in the order in which they come.
type writer struct {
	strings.Builder

	inside bool // the object that is being written has a member
}

func (w *writer) name(name string) {
	if w.inside {
		w.WriteByte(',')
	}
	w.inside = true
	w.WriteString(strconv.Quote(name) + ":")
}

func (w *writer) member(name string, value any) {
	w.name(name)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(fmt.Sprintf("oracle: encode %v: %v", value, err))
	}
	w.Write(bytes.TrimSpace(b.Bytes()))
}

func (w *writer) object(r Row, members func(Row)) {
	w.WriteByte('{')
	w.inside = false
	members(r)
	w.WriteByte('}')
	w.inside = true
}

// one writes the first row, or null.
func (w *writer) one(rows []Row, members func(Row)) {
	if len(rows) == 0 {
		w.WriteString("null")
		return
	}
	w.object(rows[0], members)
}

func (w *writer) many(rows []Row, members func(Row)) {
	w.WriteByte('[')
	for i, r := range rows {
		if i > 0 {
			w.WriteByte(',')
		}
		w.object(r, members)
	}
	w.WriteByte(']')
}
