package route_test

import (
	"github.com/pando-sync/pando/schema"
)

func (w *world) add(c *client, key schema.Value) {
	delete(c.list.removed, key)
	c.list.added[key] = true
	w.router.Add(c.scope, key)
}

func (w *world) remove(c *client, key schema.Value) {
	delete(c.list.added, key)
	c.list.removed[key] = true
	w.router.Remove(c.scope, key)
}

func (w *world) clear(c *client) {
	c.list.added, c.list.removed, c.list.cleared = map[schema.Value]bool{}, map[schema.Value]bool{}, true
	w.router.Clear(c.scope)
}

// recheck has all rows of a list judged, by which some are hidden.
func (w *world) recheck(c *client, hidden ...schema.Value) {
	c.list.judged, c.list.hidden = true, map[schema.Value]bool{}
	for _, key := range hidden {
		c.list.hidden[key] = true
	}
	w.router.Ask(c.scope)
}
