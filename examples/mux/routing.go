package main

import (
	"github.com/pando-sync/pando/examples/mux/api"
	"github.com/pando-sync/pando/mux"
)

// channelRouting is channel_routing of Django's routing.py: the first entry that
// matches a path serves its connections.
func channelRouting() []mux.Entry {
	return []mux.Entry{
		mux.RouteClass(api.MessageDemultiplexer(), `^/demultiplex/(?P<room_name>[a-zA-Z0-9_]+)/`),
	}
}
