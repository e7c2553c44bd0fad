// Package embeds has structs for every rule by which encoding/json promotes
// fields, names them and leaves them out, odd ones too.
package embeds

import "time"

// Types are zero values of the types to compare.
func Types() []any {
	return []any{both{}, one{}, byTag{}, twoTags{}, twins{}, twice{}, itself{}, shadowed{}, hiddenName{}, named{}, option{}}
}

// Types that embed each other in all ways that encoding/json has rules for.
type (
	left   struct{ Same, Left int }
	right  struct{ Same, Right int }
	lower  struct{ right }
	tagged struct {
		Other int `json:"Same"`
	}
	// both: Same is of neither.
	both struct {
		left
		right
	}
	// one: Same is the less deep one's.
	one struct {
		left
		lower
	}
	// byTag: Same is the one with a tag.
	byTag struct {
		left
		tagged
	}
	// twoTags: Same is promoted, other is named.
	twoTags struct {
		tagged
		Other tagTwin
	}
	// twins: Same is of neither.
	twins struct {
		tagged
		tagTwin
	}
	// twice: both lead to the same struct.
	twice struct {
		*first
		*second
	}
	first  struct{ *left }
	second struct{ *left }
	itself struct {
		Value int
		*Itself
	}
	Itself struct {
		Other int
		*itself
	}
	// shadowed: its own.
	shadowed struct {
		left
		Same string
	}
	hiddenName struct {
		left `json:"-"`
		Up   int
	}
	named struct {
		left `json:"left"`
		Tag  Named `json:"Tag"`
	}
	tagTwin struct {
		Twin int `json:"Same"`
	}
	Named  struct{ A, b int }
	option struct {
		Zero     time.Time     `json:",omitzero"`
		Empty    time.Time     `json:",omitempty"`
		Judges   judges        `json:",omitzero"`
		Pointers **int         `json:",omitempty"`
		Any      any           `json:",omitempty"`
		Quoted   *bool         `json:",string"`
		Text     string        `json:",string"`
		Wait     time.Duration `json:",string"`
		Odd      int           `json:"a b/c,other"`
		Bad      int           `json:"a\\b"`
	}
)

// judges says itself what its zero value is: never.
type judges []int

func (judges) IsZero() bool { return false }
