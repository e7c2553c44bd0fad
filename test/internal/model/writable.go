package model

import (
	"slices"
	"strings"
)

// Writable is what clients may write of one layer's rows.
type Writable struct {
	// Layer is the way to the layer: the names of the relations from the root down
	// with slashes between them, "" for the root.
	Layer string `json:"layer"`
	// Save, Create and Delete are the users whom the channel permits it; what is
	// permitted to none is not offered.
	Save   []string `json:"save,omitempty"`
	Create []string `json:"create,omitempty"`
	Delete []string `json:"delete,omitempty"`
	// MayLeave lets saved rows leave the tree.
	MayLeave bool `json:"may_leave,omitempty"`
	// CanLink are the users whose links may lead to nodes outside of the tree.
	CanLink []string `json:"can_link,omitempty"`
}

// Permits are the users whom an operation is permitted.
func (w *Writable) Permits(op string) []string {
	switch op {
	case "save":
		return w.Save
	case "create":
		return w.Create
	default:
		return w.Delete
	}
}

// At finds a layer by the way to it, nil when there is none any more.
func (c *Channel) At(way string) *Layer {
	at := c.Root
	if way == "" {
		return at
	}
	for name := range strings.SplitSeq(way, "/") {
		i := slices.IndexFunc(at.Layers, func(l *Layer) bool { return l.Name == name })
		if i < 0 {
			return nil
		}
		at = at.Layers[i]
	}
	return at
}

// WalkWays calls fn for every layer with the way to it.
func (c *Channel) WalkWays(fn func(way string, l *Layer)) {
	var walk func(way string, l *Layer)
	walk = func(way string, l *Layer) {
		fn(way, l)
		for _, child := range l.Layers {
			walk(strings.TrimPrefix(way+"/"+child.Name, "/"), child)
		}
	}
	walk("", c.Root)
}

// Spine is a layer and the one whose rows it shows: a layer that repeats what is
// above it shows that one's.
func Spine(parent, l *Layer) *Layer {
	if l.Depth > 0 {
		return parent
	}
	return l
}
