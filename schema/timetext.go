package schema

import (
	"strings"
	"time"
)

// parseTime reads the texts in which databases and drivers write times:
//
//	2006-01-02
//	2006-01-02 15:04[:05[.999999999]]          T or a space between
//	… Z, ±07, ±0700, ±07:00                    a space before it or not
//	… -0700 MST m=+0.1                         time.Time's String
//
// Without a zone it is UTC.
func parseTime(s string) (time.Time, bool) {
	p := timeText{rest: s, ok: true}
	year, month, day := p.date()
	var hour, minute, sec, nsec, offset int
	if p.rest != "" {
		p.oneOf("T ")
		hour, minute, sec, nsec = p.clock()
		offset = p.zone()
	}
	t := time.Date(year, time.Month(month), day, hour, minute, sec, nsec, time.UTC)
	// Date carries over: the 31st of June comes back as another day.
	valid := p.ok && t.Day() == day && int(t.Month()) == month && t.Hour() == hour && t.Minute() == minute && t.Second() == sec
	return t.Add(-time.Duration(offset) * time.Second), valid
}

// timeText reads a text from its left; ok turns false at the first surprise.
type timeText struct {
	rest string
	ok   bool
}

func (p *timeText) date() (year, month, day int) {
	year = p.digits(4)
	p.oneOf("-")
	month = p.digits(2)
	p.oneOf("-")
	return year, month, p.digits(2)
}

func (p *timeText) clock() (hour, minute, sec, nsec int) {
	hour = p.digits(2)
	p.oneOf(":")
	minute = p.digits(2)
	if !strings.HasPrefix(p.rest, ":") {
		return hour, minute, 0, 0
	}
	p.oneOf(":")
	sec = p.digits(2)
	if strings.HasPrefix(p.rest, ".") {
		p.oneOf(".")
		nsec = p.fraction()
	}
	return hour, minute, sec, nsec
}

// fraction reads one digit or more as nanoseconds and drops what is finer.
func (p *timeText) fraction() (nsec int) {
	n := 0
	for ; n < len(p.rest) && isDigit(p.rest[n]); n++ {
		if n < 9 {
			nsec = nsec*10 + int(p.rest[n]-'0')
		}
	}
	for i := n; i < 9; i++ {
		nsec *= 10
	}
	p.ok = p.ok && n > 0
	p.rest = p.rest[n:]
	return nsec
}

// zone reads the offset in seconds east of UTC. What follows "±0700 " is a
// zone's abbreviation and a monotonic reading, which say nothing more.
func (p *timeText) zone() int {
	p.rest = strings.TrimPrefix(p.rest, " ")
	switch p.rest {
	case "", "Z", "z", "UTC":
		return 0
	}
	sign := 1
	if p.oneOf("+-") == '-' {
		sign = -1
	}
	offset := p.digits(2) * 3600
	if p.rest != "" && p.rest[0] != ' ' {
		p.rest = strings.TrimPrefix(p.rest, ":")
		offset += p.digits(2) * 60
	}
	p.ok = p.ok && (p.rest == "" || p.rest[0] == ' ')
	return sign * offset
}

// digits reads exactly n digits.
func (p *timeText) digits(n int) (value int) {
	if len(p.rest) < n {
		p.ok, p.rest = false, ""
		return 0
	}
	for i := range n {
		p.ok = p.ok && isDigit(p.rest[i])
		value = value*10 + int(p.rest[i]-'0')
	}
	p.rest = p.rest[n:]
	return value
}

// oneOf reads one byte of a set.
func (p *timeText) oneOf(set string) byte {
	if p.rest == "" || strings.IndexByte(set, p.rest[0]) < 0 {
		p.ok, p.rest = false, ""
		return 0
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
