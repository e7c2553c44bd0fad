package redisbroker_test

import (
	"strings"
	"testing"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// access is what the package's documentation tells operators to let a user do.
const access = "~pando:* &pando:* +@connection +@string +@list +@set +@sortedset +@hash +@stream +@pubsub +@scripting +@keyspace +time"

// TestAccess does everything as a user who may do no more than is documented.
func TestAccess(t *testing.T) {
	server := start(t, servers.RedisOptions{Conf: "user default off\nuser pando on >secret " + access})
	url := strings.Replace(server.URL(), "redis://", "redis://pando:secret@", 1) + "/2"
	b := open(t, redisbroker.Config{Hosts: []string{url}})
	ctx := t.Context()
	mine := channelOf(t, b)
	for _, channel := range []string{mine, "mail"} {
		got := receiving(t, b, channel)
		send(t, b.Send(ctx, channel, []byte("one")))
		wants(t, got, "one")
		send(t, b.GroupAdd(ctx, "group", channel))
		send(t, b.GroupSend(ctx, "group", []byte("two")))
		wants(t, got, "two")
		send(t, b.GroupDiscard(ctx, "group", channel))
	}
	send(t, b.Flush(ctx))
	s := openStream(t, b, "log", broker.StreamConfig{})
	if _, err := s.Append(ctx, 0, []byte("one")); err != nil {
		t.Error(err)
	}
	r, err := s.Reader(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Next(ctx); err != nil || string(got.Body) != "one" {
		t.Errorf("read %s, %v", got.Body, err)
	}
	if _, err := s.Last(ctx); err != nil {
		t.Error(err)
	}
	if _, err := s.First(ctx); err != nil {
		t.Error(err)
	}
}

// TestNoAccess has a password that is wrong, and a user who may not publish: what
// is asked fails, and tells why.
func TestNoAccess(t *testing.T) {
	server := start(t, servers.RedisOptions{Conf: "user default off\nuser pando on >secret " + strings.Replace(access, "&pando:*", "resetchannels", 1)})
	for user, why := range map[string]string{"pando:wrong@": "WRONGPASS", "pando:secret@": "NOPERM"} {
		b := open(t, redisbroker.Config{Hosts: []string{strings.Replace(server.URL(), "redis://", "redis://"+user, 1)}})
		if err := b.Send(t.Context(), "mail", nil); err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", why, err)
		}
	}
}
