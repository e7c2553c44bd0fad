package schema

// Binding is a model that streams of demultiplexers expose: what generated code
// tells the browser of it.
type Binding struct {
	// Stream is the name of the streams, Model that in what they are told.
	Stream, Model string
	// Package is the import path of the model's Go type, "main" for a program's.
	Package string
	// Type is the model's, Registry.Model has made it.
	Type *Type
	// Key is the form of the rows' keys.
	Key WriteField
	// Fields are the members of a row's data, in order, then what is only written:
	// those have no Shown. A many-to-many relation is a JSON field of a slice, with an
	// Element.
	Fields []WriteField
	// Keys are the names of Fields whose values are keys of other rows: they have the
	// form of keys, whatever their kind. ReadOnly are those that no client writes.
	Keys     []string
	ReadOnly []string
	// Writable tells that clients may write at all.
	Writable bool
	// Serialized tells that a function of the app makes the data that is told, of
	// which no type is known.
	Serialized bool
	// OrderBy is the order in which a subscription's rows come, before that of their
	// keys: names of Fields, or the key's, with "-" before one for descending.
	OrderBy []string
}
