package pando

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// pattern is a channel's route: literal segments and {parameters}.
type pattern struct {
	route    string
	segments []segment
}

type segment struct {
	text  string
	param bool
}

var (
	paramName   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	literalName = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
)

func parsePattern(route string) (pattern, error) {
	p := pattern{route: route}
	seen := map[string]bool{}
	for text := range strings.SplitSeq(route, "/") {
		name, param := strings.CutPrefix(text, "{")
		if !param {
			if !literalName.MatchString(text) {
				return p, fmt.Errorf("route %q: segment %q: want letters, digits, . _ ~ - or {parameter}, without slashes at the ends", route, text)
			}
			p.segments = append(p.segments, segment{text: text})
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		if !closed || !paramName.MatchString(name) {
			return p, fmt.Errorf("route %q: parameter %q: want {name} of lower-case letters, digits and _", route, text)
		}
		if seen[name] {
			return p, fmt.Errorf("route %q: parameter {%s} comes twice", route, name)
		}
		seen[name] = true
		p.segments = append(p.segments, segment{text: name, param: true})
	}
	return p, nil
}

func (p pattern) params() []string {
	var names []string
	for _, s := range p.segments {
		if s.param {
			names = append(names, s.text)
		}
	}
	return names
}

// match returns the values of the parameters of a path whose segments are
// percent-encoded.
func (p pattern) match(path string) ([]string, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != len(p.segments) {
		return nil, false
	}
	var values []string
	for i, s := range p.segments {
		text, err := url.PathUnescape(parts[i])
		switch {
		case err != nil || text == "":
			return nil, false
		case s.param:
			values = append(values, text)
		case text != s.text:
			return nil, false
		}
	}
	return values, true
}

// meets tells whether some path matches both patterns.
func (p pattern) meets(o pattern) bool {
	if len(p.segments) != len(o.segments) {
		return false
	}
	for i, s := range p.segments {
		if t := o.segments[i]; !s.param && !t.param && s.text != t.text {
			return false
		}
	}
	return true
}
