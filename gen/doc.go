// Package gen makes the TypeScript of declared channels and bindings: for each
// app, which is a Go package that declares channels or the models of bindings, one
// file of interfaces and one of channel classes and streams.
//
// Generate is pure: manifest and docs in, files out. LoadDocs reads comments,
// names of parameters and constants from the app's source, where there is one;
// Sync brings a folder up to date and shows what changed.
//
// # Types
//
// Fields of rows have the types of their columns' values on the wire: keys, and
// links to them, are branded strings; NULL is null where the column, the
// pointer or sql.Null allows it. Everything else (documents in JSON columns,
// runtime state, parameters and results of actions) has the type of what
// encoding/json writes:
//
//   - Members are those that encoding/json has, by their json tags, those of
//     embedded structs in their place. What omitempty or omitzero leaves out is
//     optional, and not null then; else nil pointers, and nil slices and maps
//     that Go writes, are null. Documents in columns, and what only a browser
//     writes, have no null in the place of slices and maps.
//   - A type of strings or integers with constants is the union of their values,
//     where source tells them; it is closed, so that a switch over it can be
//     complete. Types of flags, made by shifting bits, are numbers.
//   - time.Time is a string as RFC 3339 has it, time.Duration a number of
//     nanoseconds, []byte a string in base64. Types with a MarshalText method are
//     strings; what a MarshalJSON method writes is unknown.
//   - Structs have interfaces of their names: Page[Task] is PageOfTask, an Item
//     of package billing BillingItem where another has the name Item, and a
//     struct whose rows are shown too TaskValue. Structs without a name are
//     inlined, as are maps and slices with one that are not made of themselves.
//   - Parameters of 64 bits take numbers, bigints and strings of digits.
//   - What a binding tells of a Message is the interface Message, or that of its
//     stream, MessageStreamData, where a channel's rows have the name; what may be
//     written is MessageInput. Keys are numbers there, and strings beyond 2^53: Pk.
package gen
