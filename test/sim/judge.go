package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// verify compares what the callers were told, and what the servers did, with what
// is in the ledger, and returns how many calls there were. It forgets them. All
// must rest.
func (b *book) verify(ledger map[string][]string) (calls int, err error) {
	b.history.mu.Lock() // the oracle's data is used by one at a time
	defer b.history.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return 0, b.failed
	}
	ids := slices.SortedFunc(maps.Keys(b.calls), func(x, y string) int { return number(x) - number(y) })
	for _, id := range ids {
		k := b.calls[id]
		if k.told == "" {
			continue // its caller has failed
		}
		b.recount(k)
		wrong := k.wrong(ledger[id])
		for _, x := range k.executions {
			if wrong == "" {
				wrong = b.judge(x)
			}
		}
		if wrong != "" {
			return calls, &divergenceError{client: -1, user: k.user, route: world.Path(k.route), what: "call " + id + " " + wrong + ": " + k.describe()}
		}
		calls++
		delete(b.calls, id)
	}
	return calls, nil
}

func number(id string) int {
	n, _ := strconv.Atoi(id) // they are numbers
	return n
}

// wrong says what is wrong with what the caller was told, "" for nothing.
func (k *call) wrong(applied []string) string {
	committed := 0
	for _, x := range k.executions {
		if x.Committed {
			committed++
		}
	}
	switch {
	case len(applied) > 1:
		return fmt.Sprintf("was applied %d times", len(applied))
	case k.told == toldResult && len(applied) == 0:
		return "was told a result, and nothing was applied"
	case k.told == toldRefused && len(applied) > 0:
		return "was told " + k.code + ", and was applied"
	case len(applied) > 0 && k.fail != "":
		return "was applied, though it failed"
	case committed != len(applied):
		return fmt.Sprintf("has %d rows in the ledger, and %d transactions", len(applied), committed)
	case k.told != toldResult:
		return ""
	}
	if want := k.expected(applied[0]); k.result != want {
		return fmt.Sprintf("was told %s: it is %s", k.result, want)
	}
	return ""
}

// expected is the result of a call that was applied, as JSON.
func (k *call) expected(entered string) string {
	if k.write == nil {
		return quoted(entered)
	}
	if k.op == "create" {
		for _, x := range k.executions {
			if x.Committed {
				return quoted(k.created(x))
			}
		}
	}
	return "null"
}

func quoted(text string) string {
	out, _ := json.Marshal(text) //nolint:errchkjson // a text
	return string(out)
}

// created is the key of the row that an execution has created, "" unless there
// is exactly one that was not there.
func (k *call) created(x *execution) string {
	return added(k.write.Offer.Table, x.before, x.after)
}

// added is the key of the only row that a table has more, "" for none or several.
func added(t *model.Table, before, after *oracle.Data) string {
	found := ""
	for _, r := range after.Tables[t.Name] {
		if key := oracle.KeyText(t, r); before.Row(t.Name, key) == nil {
			if found != "" {
				return ""
			}
			found = key
		}
	}
	return found
}

// judge says what is wrong with what a server did, "" for nothing.
func (b *book) judge(x *execution) string {
	if x.call.write == nil {
		if x.Code != "" && x.Code != codeTeapot && !transient(x.Code) {
			return "failed with " + x.Code + ", " + x.Message
		}
		return ""
	}
	if x.before == nil || x.Claimed && !x.Committed || transient(x.Code) {
		return ""
	}
	if x.Code == "" {
		return b.judgment(x).applied()
	}
	if x.window == nil {
		x.window = []*oracle.Data{x.before}
	}
	for _, x.before = range x.window {
		if b.judgment(x).explains(x.Code) {
			return ""
		}
	}
	return "was refused without a reason: " + x.Code + ", " + x.Message
}

// judgment is what the oracle thinks of a write.
type judgment struct {
	*execution

	write  *world.Write
	schema *model.Schema
	// was and is are the rows of the writer's tree before and after.
	structs map[*model.Layer]*model.Layer
	was, is map[oracle.Member]bool
	channel *model.Channel
	row     oracle.Row // as it was
	stood   bool       // in the tree
}

func (b *book) judgment(x *execution) *judgment {
	k, w := x.call, x.call.write
	j := &judgment{execution: x, write: w, schema: b.schema, structs: b.structs[k.route.Channel], channel: b.schema.Channels[k.route.Channel]}
	j.was = x.before.Members(k.route, k.user, j.structs)
	if x.after != nil {
		j.is = x.after.Members(k.route, k.user, j.structs)
	}
	switch {
	case k.op != "create":
		j.row = x.before.Row(w.Offer.Table.Name, w.ID)
		j.stood = j.was[oracle.Member{Struct: w.Offer.Struct, Key: w.ID}] && j.row != nil
	case w.Place.Parent == nil:
		j.stood = true
	default:
		j.stood = j.was[oracle.Member{Struct: w.Place.Parent, Key: w.Parent, Relation: w.Place.Layer.Name}]
	}
	return j
}

func (j *judgment) offered() bool { return len(j.write.Offer.Permits(j.call.op)) > 0 }

func (j *judgment) permitted() bool {
	return slices.Contains(j.write.Offer.Permits(j.call.op), j.call.user)
}

// explains tells whether there is a reason to refuse with a code.
func (j *judgment) explains(code string) bool {
	w := j.write
	switch code {
	case "unknown_write":
		return !j.offered()
	case "denied":
		return !j.stood || j.linksOutside() || j.Outside || j.after != nil && !j.stands()
	case codeForbidden:
		return j.stood && !j.permitted()
	case "invalid":
		return j.stood && (w.Invalid || j.permitted() && (j.call.op == "create" || j.schema.ForeignKeys))
	case "conflict":
		// That a relation has one already is found before permission is asked.
		return j.stood && (j.call.op == "create" || j.permitted() && (j.schema.ForeignKeys || j.setsUnique() || !j.unchanged()))
	default:
		return false
	}
}

// setsUnique tells whether a column is set that another row may have.
func (j *judgment) setsUnique() bool {
	return slices.ContainsFunc(j.write.Offer.Table.Columns, func(c *model.Column) bool {
		_, set := j.write.Want[c.Name]
		return c.Unique && set
	})
}

// unchanged tells whether the row has what the client saw.
func (j *judgment) unchanged() bool {
	t := j.write.Offer.Table
	for name, saw := range j.write.Seen {
		if oracle.Text(t, name, j.row[t.Index(name)]) != string(saw) {
			return false
		}
	}
	return true
}

// stands tells whether the row stands in the tree after it was written.
func (j *judgment) stands() bool {
	key := j.write.ID
	if j.call.op == "create" {
		key = j.call.created(j.execution)
	}
	return j.call.op == "delete" || j.is[oracle.Member{Struct: j.write.Offer.Struct, Key: key}]
}

// follows are the structs to which rows of the written table lead by a link, in
// either direction of the relation.
func (j *judgment) follows(link []string) []*model.Layer {
	var all []*model.Layer
	add := func(l *model.Layer) {
		if l = j.structs[l]; !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	table := j.write.Offer.Table.Name
	var walk func(l *model.Layer)
	walk = func(l *model.Layer) {
		for _, child := range l.Layers {
			shown := model.Spine(l, child)
			switch {
			case child.Relation == model.BelongsTo && l.Table == table && slices.Equal(child.Link, link):
				add(shown)
			case (child.Relation == model.HasMany || child.Relation == model.HasOne) && shown.Table == table && slices.Equal(child.Link, link):
				add(l)
			}
			walk(child)
		}
	}
	walk(j.channel.Root)
	return all
}

// placed tells whether a link is the one to the parent of a new row, which the
// library sets, whatever the client does.
func (j *judgment) placed(link []string) bool {
	return j.call.op == "create" && j.write.Place.Parent != nil && slices.Equal(link, j.write.Place.Layer.Link)
}

// linked are the links that are set to another row than they led to.
func (j *judgment) linked() []world.Linked {
	t := j.write.Offer.Table
	return slices.DeleteFunc(slices.Clone(j.write.Links), func(l world.Linked) bool {
		return l.To == "" || j.placed(l.Link) || j.row != nil && oracle.LinkText(t, l.Link, j.row) == l.To
	})
}

// linksOutside tells whether some link may lead out of the tree, as any struct
// over the target's table has it.
func (j *judgment) linksOutside() bool {
	t := j.write.Offer.Table
	for _, l := range j.linked() {
		target, shown := t.Column(l.Link[0]).References, false
		for _, s := range j.structs {
			if s.Table != target {
				continue
			}
			if shown = true; !j.was[oracle.Member{Struct: s, Key: l.To}] {
				return true
			}
		}
		if !shown {
			return true
		}
	}
	return false
}
