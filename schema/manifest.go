package schema

import "reflect"

// Manifest is the declared app as data: the input of code generation.
type Manifest struct {
	Registry *Registry
	Channels []*Channel
	// Bindings are one for each name of a stream that is a binding's.
	Bindings []*Binding
}

// Channel is one declared channel.
type Channel struct {
	// Name is the Go type's name, Package its import path.
	Name, Package string
	// Route is the pattern as declared, "boards/{board_id}".
	Route string
	// Params are the route's parameters in order; Anchor is the index of the
	// one that is the root's key.
	Params []Param
	Anchor int
	Tree   *Tree
	// Runtime is the struct of the runtime state; a struct without fields when
	// the channel has none.
	Runtime reflect.Type
	Actions []Action
	// Writable is what clients may change, in the order of declaration.
	Writable []*Writable
	// Hash changes when, and only when, a fact changes that the generated
	// class depends on: names, kinds, nullability, relations, order, actions'
	// types. Names of parameters and docs are no such facts.
	Hash string
}

// Param is one parameter of a channel's route.
type Param struct {
	// Name as in the pattern.
	Name string
	Kind Kind
	// Link is the root's type for the anchor's parameter, else nil.
	Link *Type
}

// Action is one method that the browser may call.
type Action struct {
	// Name is the name on the wire, Method the Go method's.
	Name, Method string
	// Args are the types of its arguments after the context.
	Args []reflect.Type
	// Result is nil when the method returns only an error.
	Result reflect.Type
	// Once tells that the action runs in a transaction of Pando's, which stores
	// its reply too: sent again with the same key it is applied once.
	Once bool
}
