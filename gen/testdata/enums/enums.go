// Package enums is the case of the generator's tests for types with constants.
package enums

import (
	"context"
	"database/sql"
	"time"
)

// Status is where a job stands.
type Status string

// The statuses, in the order of a job's life.
const (
	Waiting Status = "waiting"
	Running Status = "run" + "ning"
	Ended          = Status("ended")
	// Over is an older name.
	Over = Ended
)

// Priority is how urgent a job is.
type Priority int

const (
	Low    Priority = iota - 1
	Normal          // as most are
	High            // High wakes somebody up.
	_
	// Never is for tests.
	//
	// It runs all the same.
	Never
)

// Color has comments.
type Color string

const (
	Red Color = "red" // stop
	// Green lets all pass.
	Green Color = "green"
	Blue  Color = "it's blue"
)

// Permission is a set of flags, not a choice.
type Permission uint8

const (
	Read Permission = 1 << iota
	Write
)

// Huge does not fit into a number.
type Huge int64

// Most is the largest.
const Most Huge = 1<<62 + 1

// Plain has no constants.
type Plain string

// Language is one of many, too many for a line.
type Language string

const (
	Danish     Language = "danish"
	Dutch      Language = "dutch"
	English    Language = "english"
	Finnish    Language = "finnish"
	French     Language = "french"
	German     Language = "german"
	Italian    Language = "italian"
	Norwegian  Language = "norwegian"
	Portuguese Language = "portuguese"
)

// Job is a row of choices.
type Job struct {
	ID         int64              `json:"id"`
	Status     Status             `json:"status"`
	Before     *Status            `json:"before"`
	Priority   Priority           `json:"priority"`
	Nice       sql.Null[Priority] `json:"nice"`
	Digits     Priority           `json:"digits" pando:"string"`
	Day        time.Weekday       `json:"day"`
	Timeout    time.Duration      `json:"timeout"`
	Permission Permission         `json:"permission"`
	Huge       Huge               `json:"huge"`
	Plain      Plain              `json:"plain"`
	Colors     []Color            `json:"colors"`
	Shown      int                `json:"shown" pando:"represent:Word"`
}

// Word is a choice that is made of a number.
func (j Job) Word() Status { return Waiting }

// JobRuntime counts by choices.
type JobRuntime struct {
	Counts map[Status]int      `json:"counts"`
	Levels map[Priority]string `json:"levels"`
	Last   Status              `json:"last,omitempty"`
}

// JobChannel shows a job.
type JobChannel struct{}

// Set changes it.
func (*JobChannel) Set(_ context.Context, status Status, priority *Priority, languages []Language, wait time.Duration) (Color, error) {
	_, _, _, _ = status, priority, languages, wait
	return Red, nil
}
