// Package desk is the rich case of the generator's tests: lists, many-to-many,
// a struct below itself, keys of several columns, and rows for one user only.
package desk

import (
	"context"
	"fmt"
	"time"
)

// Status is where a ticket stands.
type Status string

// The statuses.
const (
	Open   Status = "open"
	Closed Status = "closed"
)

// Ticket is what somebody asks for.
type Ticket struct {
	ID        int64      `json:"id"`
	ProjectID int64      `json:"-"`
	Title     string     `json:"title"`
	Status    Status     `json:"status"`
	CreatedAt time.Time  `json:"created_at" pando:"readonly"` // set by the database
	Due       *time.Time `json:"-"`
	Hours     float64    `json:"hours" pando:"represent:Shown"`
	Overdue   bool       `json:"overdue" pando:"computed:IsOverdue"`
	// Said counts the comments that are no replies.
	Said   int     `json:"said" pando:"count:Comments"`
	LastID *string `json:"last" pando:"computed:LastWord,of:Comments"`
	// Source is never sent.
	Source string `json:"source" pando:"writeonly"`
	Author User   `json:"author"`
	// Reviewer is shown while active.
	Reviewer User `json:"reviewer" pando:"filter:active=true"`
	// Labels are sorted by their names.
	Labels   []Label   `json:"labels" pando:"through:ticket_labels,order:name"`
	Comments []Comment `json:"comments" pando:"filter:parent_id=null,order:-created_at"`
	// Mark is the user's own.
	Mark *Mark      `json:"mark" pando:"hasone,user_key:user_id"`
	Line *OrderLine `json:"line"`
}

// Shown is what it took, in words.
func (t Ticket) Shown() string { return fmt.Sprintf("%g hours", t.Hours) }

// IsOverdue tells whether it came in after it was due.
func (t Ticket) IsOverdue() bool { return t.Due != nil && t.Due.Before(t.CreatedAt) }

// LastWord is what was said last.
func (t Ticket) LastWord() *string {
	if len(t.Comments) == 0 {
		return nil
	}
	return &t.Comments[len(t.Comments)-1].Text
}

// User writes tickets.
type User struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Active bool   `json:"-"`
}

// Label marks tickets.
type Label struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Comment is what somebody says.
type Comment struct {
	ID        int64     `json:"id"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"-"`
	ParentID  *int64    `json:"-"`
	Author    *User     `json:"author"`
	// Replies are the answers to it.
	Replies []*Comment `json:"replies" pando:"link:parent_id,depth:2"`
}

// Mark is what one user notes at a ticket.
type Mark struct {
	ID     int64  `json:"id"`
	Text   string `json:"text"`
	UserID int64  `json:"-"`
}

// OrderLine has a key of two columns.
type OrderLine struct {
	OrderID int64  `json:"order_id" pando:"key"`
	Product string `json:"product" pando:"key"`
	Count   int    `json:"count"`
	Parts   []Part `json:"parts"`
}

// Part is what a line is packed in.
type Part struct {
	ID     int64   `json:"id"`
	Weight float64 `json:"weight"`
}

// TicketsChannel lists the tickets of a project.
type TicketsChannel struct{}

// Close closes tickets.
func (*TicketsChannel) Close(_ context.Context, tickets []int64) error {
	_ = tickets
	return nil
}

// LabelsChannel lists all labels.
type LabelsChannel struct{}

// LineChannel shows a line of an order.
type LineChannel struct{}

// ThreadChannel shows a comment with what follows from it.
type ThreadChannel struct{}
