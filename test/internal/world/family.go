package world

import "reflect"

// Structs that refer to themselves cannot be made at run time: these are over
// the table "nodes" of every schema that has one.
var families = map[string]reflect.Type{
	"NodeDown": reflect.TypeFor[NodeDown](),
	"NodeDeep": reflect.TypeFor[NodeDeep](),
	"NodeUp":   reflect.TypeFor[NodeUp](),
	"NodeBoth": reflect.TypeFor[NodeBoth](),
}

// NodeDown is a node with its children.
type NodeDown struct {
	ID       int64      `json:"id"`
	Mark     string     `json:"mark"`
	Size     int        `json:"size"  pando:"computed:MarkSize"`
	Position *float64   `json:"-"`
	Nodes    []NodeDown `json:"nodes" pando:"link:parent_id,order:position,depth:1"`
}

// TableName implements the schema's hook.
func (*NodeDown) TableName() string { return "nodes" }

// MarkSize is how many bytes the mark has.
func (n *NodeDown) MarkSize() int { return len(n.Mark) }

// NodeDeep is a node with three generations below it.
type NodeDeep struct {
	ID    int64      `json:"id"`
	Mark  string     `json:"mark"  pando:"represent:Quoted"`
	Nodes []NodeDeep `json:"nodes" pando:"link:parent_id,depth:3"`
}

// TableName implements the schema's hook.
func (NodeDeep) TableName() string { return "nodes" }

// Quoted is the mark in brackets.
func (n NodeDeep) Quoted() string { return "<" + n.Mark + ">" }

// NodeUp is a node with those above it.
type NodeUp struct {
	ID     int64   `json:"id"`
	Mark   string  `json:"mark"`
	Parent *NodeUp `json:"parent" pando:"link:parent_id,depth:2"`
}

// TableName implements the schema's hook.
func (NodeUp) TableName() string { return "nodes" }

// NodeBoth is a node with what is above and below, and above those.
type NodeBoth struct {
	ID       int64      `json:"id"`
	Mark     string     `json:"mark"`
	Position *float64   `json:"-"`
	Parent   *NodeBoth  `json:"parent" pando:"link:parent_id,depth:1"`
	Nodes    []NodeBoth `json:"nodes" pando:"link:parent_id,order:-position,depth:2"`
}

// TableName implements the schema's hook.
func (NodeBoth) TableName() string { return "nodes" }
