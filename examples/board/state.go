package main

import "time"

// Board is one board with all that is on it.
type Board struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	Owner   *User    `json:"owner"`
	Members []Member `json:"members"`
	Lists   []List   `json:"lists" pando:"order:position"`
}

// Member is a person's place on a board. The owner has one too.
type Member struct {
	ID   int64 `json:"id"`
	User *User `json:"user"`
}

// TableName is where members are.
func (Member) TableName() string { return "board_members" }

// List is a column of cards.
type List struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// Position sorts the lists of a board; only the order means something.
	Position float64 `json:"position"`
	Cards    []Card  `json:"cards" pando:"order:position"`
}

// Card is one thing to do.
type Card struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Done  bool   `json:"done"`
	// Position sorts the cards of a list. To put a card between two others,
	// take a number between theirs.
	Position float64   `json:"position"`
	Assignee *User     `json:"assignee"`
	Comments []Comment `json:"comments" pando:"order:created_at"`
}

// Comment is what somebody said about a card.
type Comment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	// Author is null when the user is gone.
	Author    *User     `json:"author"`
	CreatedAt time.Time `json:"created_at"`
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
