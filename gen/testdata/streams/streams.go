// Package streams is the case of the generator's tests for bindings: beside a
// channel of the same struct, with relations, and where a function makes the data.
package streams

import "time"

// Mood is how a message is meant.
type Mood string

// The moods.
const (
	Calm  Mood = "calm"
	Angry Mood = "angry"
)

// Room is where messages are.
type Room struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Message is what somebody says.
type Message struct {
	ID int64 `json:"id"`
	// Text is Markdown.
	Text      string            `json:"text"`
	Mood      Mood              `json:"mood"`
	Size      int               `json:"size" pando:"readonly"`
	CreatedAt time.Time         `json:"created_at"`
	Edited    *time.Time        `json:"edited"`
	Extra     map[string]string `json:"extra"`
	// Secret is for moderators.
	Secret string `json:"secret" pando:"writeonly"`
	RoomID int64  `json:"-"`
	Room   *Room  `json:"room"` // where it is said
	Author *User  `json:"author"`
}

// User is a person, known by a name.
type User struct {
	Login string `json:"login" pando:"key"`
	Name  string `json:"name"`
}

// Hall has many rooms and many users.
type Hall struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Rooms []Room `json:"rooms" pando:"through:hall_rooms"`
	// Guests may come in.
	Guests []User `json:"guests" pando:"through:hall_guests"`
}

// MessageChannel shows a message.
type MessageChannel struct{}
