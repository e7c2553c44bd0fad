// Package pandotest is for the tests of an app's author: it serves an app from
// a database that lives as long as the test, and connects clients that follow
// the state as a browser does.
//
//	db := pandotest.Database(t)
//	server := pandotest.Serve(t, newApp(db))
//	ada := server.Connect(t, token)
//	board := pandotest.Open[Board](t, ada, "boards/1")
//	board.Call(t, nil, "rename", "Groceries")
//	board.Wait(t, "the new name", func(b *Board) bool { return b.Name == "Groceries" })
//
// A list is opened as a slice of its struct, with the order that the app gives
// it; a key of several columns stands in the route as it does on the wire.
//
//	newest := schema.AsList(schema.ListSpec{Name: "TasksChannel", Order: []string{"-created_at"}})
//	tasks := pandotest.Open[[]Task](t, ada, "projects/1/tasks", newest)
//	line := pandotest.Open[OrderLine](t, ada, "lines/7,milk")
//
// A client may open any number of streams, also of one route: they share what
// comes from the server, as the components of a page do.
//
// Everything is stopped when the test ends. A step that does not come about
// within ten seconds fails the test and tells the state that was there instead.
package pandotest
