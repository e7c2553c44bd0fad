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
	both struct {
		left
		right
	} // Same is of neither
	one struct {
		left
		lower
	} // Same is the less deep one's
	byTag struct {
		left
		tagged
	} // Same is the one with a tag
	twoTags struct {
		tagged
		Other tagTwin
	} // Same is promoted, other is named
	twins struct {
		tagged
		tagTwin
	} // Same is of neither
	twice struct {
		*first
		*second
	} // both lead to the same struct
	first  struct{ *left } //
	second struct{ *left } //
	itself struct {
		Value int
		*Itself
	} //
	Itself struct {
		Other int
		*itself
	} //
	shadowed struct {
		left
		Same string
	} // its own
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
