package main

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pando-sync/pando"
)

// Board is one board with all that is on it.
type Board struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// Owner is who made the board.
	Owner   *User    `json:"owner"`
	OwnerID int64    `json:"-" pando:"readonly"`
	Members []Member `json:"members"`
	Lists   []List   `json:"lists" pando:"order:position"`
}

// Role is what a member may do on a board.
type Role string

// The roles.
const (
	// RoleOwner manages members, and renames and deletes the board, too.
	RoleOwner Role = "owner"
	// RoleEditor changes lists, cards and comments.
	RoleEditor Role = "editor"
	// RoleViewer looks.
	RoleViewer Role = "viewer"
)

// Member is a person's place on a board. Who made it has one too.
type Member struct {
	ID      int64 `json:"id"`
	Role    Role  `json:"role"`
	User    *User `json:"user"`
	UserID  int64 `json:"-" pando:"readonly"`
	BoardID int64 `json:"-"`
}

// TableName is where members are.
func (*Member) TableName() string { return "board_members" }

// List is a column of cards.
type List struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// Position sorts the lists of a board; only the order means something.
	Position float64 `json:"position"`
	Cards    []Card  `json:"cards" pando:"order:position,filter:archived=false"`
}

// Card is one thing to do.
type Card struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done"`
	// ListID is the list that the card is in: setting it moves the card.
	ListID int64 `json:"list_id"`
	// Position sorts the cards of a list. To put a card between two others,
	// take a number between theirs.
	Position   float64   `json:"position"`
	Assignee   *User     `json:"assignee"`
	AssigneeID *int64    `json:"-"`
	Archived   bool      `json:"-"`
	Comments   []Comment `json:"comments" pando:"order:created_at"`
}

// Comment is what somebody said about a card.
type Comment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	// Author is null when the user is gone.
	Author    *User     `json:"author"`
	AuthorID  *int64    `json:"-" pando:"readonly"`
	CreatedAt time.Time `json:"created_at" pando:"readonly"`
}

// User is a person, as others see them.
type User struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	Name     string `json:"name"`
}

// Me is a user with the boards that the user may open.
type Me struct {
	ID          int64        `json:"id"`
	Username    string       `json:"username"`
	Name        string       `json:"name"`
	Memberships []Membership `json:"memberships"`
}

// TableName is where users are.
func (Me) TableName() string { return "users" }

// Membership is a user's way to a board.
type Membership struct {
	ID    int64       `json:"id"`
	Board *BoardTitle `json:"board"`
}

// TableName is where memberships are: Membership and Member are two views of
// one table.
func (Membership) TableName() string { return "board_members" }

// BoardTitle is a board in a list of boards.
type BoardTitle struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// TableName is where boards are.
func (BoardTitle) TableName() string { return "boards" }

// The bounds of what people write, in characters.
const (
	maxName    = 80
	maxTitle   = 200
	maxComment = 4000
)

// Validate is asked before a board is written.
func (b *Board) Validate() error { return written("name", b.Name, maxName) }

// Validate is asked before a list is written.
func (l *List) Validate() error {
	if err := written("name", l.Name, maxName); err != nil {
		return err
	}
	return placed(l.Position)
}

// Validate is asked before a card is written.
func (c *Card) Validate() error {
	if err := written("title", c.Title, maxTitle); err != nil {
		return err
	}
	return placed(c.Position)
}

// Validate is asked before a comment is written.
func (c *Comment) Validate() error { return written("body", c.Body, maxComment) }

// Validate is asked before a member is written.
func (m *Member) Validate() error {
	switch m.Role {
	case RoleOwner, RoleEditor, RoleViewer:
		return nil
	}
	return pando.Invalid("role", "there is no role %q", m.Role)
}

// written refuses text that is empty or too long.
func written(field, text string, limit int) error {
	if strings.TrimSpace(text) == "" {
		return pando.Invalid(field, "the %s is empty", field)
	}
	if n := utf8.RuneCountInString(text); n > limit {
		return pando.Invalid(field, "the %s has %d characters: %d are the most", field, n, limit)
	}
	return nil
}
