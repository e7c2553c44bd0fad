package api

import "github.com/pando-sync/pando/mux"

// MessageDemultiplexer serves connections to /demultiplex/{room_name}/. All that
// a client says and hears is {"stream": name, "payload": {…}}, and each stream
// has its consumer.
func MessageDemultiplexer() *mux.Demultiplexer {
	return &mux.Demultiplexer{
		Consumers: map[string]mux.Consumer{
			"message-stream": messageBinding(),
		},
		// The room does not matter, as in the original: all are told of all messages.
		ConnectionGroups: func(mux.Args) []string { return []string{messageUpdate} },
		// Who is not logged in may look; messageBinding says who may write.
		Public: true,
	}
}
