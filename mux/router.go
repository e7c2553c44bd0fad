package mux

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/wire"
)

// Names of what happens on a connection, for Route.
const (
	connectChannel    = "websocket.connect"
	receiveChannel    = "websocket.receive"
	disconnectChannel = "websocket.disconnect"
)

// Router finds what serves a path. It is immutable. An app makes it of what App.Mux
// is given.
type Router struct{ rules []rule }

// rule is one Route or RouteClass with the Includes around it.
type rule struct {
	steps   []step
	channel string
	handler Handler
	class   *Demultiplexer
}

// step matches the beginning of what the step before it has left of a path.
type step struct {
	pattern *regexp.Regexp
	args    Args // what With gives
}

// Match is what serves the connections of a path: a demultiplexer, or the handlers
// of plain messages, of which those that no Route gives are nil.
type Match struct {
	Args                         Args
	Class                        *Demultiplexer
	Connect, Receive, Disconnect Handler
}

// Compile makes the router of a routing. The error joins all faults, each of which
// names its entry and the mend. One is an entry that asks for a path of taken, where
// the app has something else: "/ws" is that path, "/api/" all below it.
func Compile(taken []string, entries ...Entry) (*Router, error) {
	c := compiler{taken: taken}
	c.add(nil, "", entries)
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return &Router{c.rules}, nil
}

// Match returns what serves a path, decoded; ok is false where nothing does. The
// first entry that matches says whether that is a demultiplexer; of plain messages
// the first one of each channel counts, and the arguments are those of all of them.
func (r *Router) Match(path string) (m Match, ok bool) {
	for i := range r.rules {
		u := &r.rules[i]
		if ok && u.class != nil {
			continue // the path is one of plain messages
		}
		args, matches := u.match(path)
		if !matches {
			continue
		}
		if u.class != nil {
			return Match{Args: args, Class: u.class}, true
		}
		if slot := m.slot(u.channel); *slot == nil {
			*slot = u.handler
			maps.Copy(args, m.Args) // the first one wins
			m.Args, ok = args, true
		}
	}
	return m, ok
}

// Classes are the demultiplexers that are routed, each once.
func (r *Router) Classes() []*Demultiplexer {
	var all []*Demultiplexer
	for i := range r.rules {
		if d := r.rules[i].class; d != nil && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

func (m *Match) slot(channel string) *Handler {
	switch channel {
	case connectChannel:
		return &m.Connect
	case receiveChannel:
		return &m.Receive
	default:
		return &m.Disconnect
	}
}

// match returns the arguments that a path has; what is further in wins.
func (u *rule) match(path string) (Args, bool) {
	args := Args{}
	for _, s := range u.steps {
		maps.Copy(args, s.args)
		if s.pattern == nil {
			continue
		}
		at := s.pattern.FindStringSubmatchIndex(path)
		if at == nil {
			return nil, false
		}
		for i, name := range s.pattern.SubexpNames() {
			if name != "" && at[2*i] >= 0 {
				args[name] = path[at[2*i]:at[2*i+1]]
			}
		}
		path = path[at[1]:]
	}
	return args, true
}

// compiler collects the rules of a routing, and what is wrong with it.
type compiler struct {
	taken  []string
	rules  []rule
	faults []error
}

// add adds entries that stand within others, whose steps and names these are.
func (c *compiler) add(outer []step, within string, entries []Entry) {
	for i := range entries {
		e := &entries[i]
		name := fmt.Sprintf("%sentry %d, %s", within, i+1, e)
		pattern, err := compile(e.path)
		if err == nil {
			err = e.check()
		}
		if err != nil {
			c.faults = append(c.faults, fmt.Errorf("mux: %s: %w", name, err))
			continue
		}
		steps := append(slices.Clip(outer), step{pattern, maps.Clone(e.args)})
		if e.included {
			c.add(steps, name+": ", e.include)
			continue
		}
		if err := errors.Join(c.reach(steps), joined(steps)); err != nil {
			c.faults = append(c.faults, fmt.Errorf("mux: %s: %w", name, err))
			continue
		}
		c.rules = append(c.rules, rule{steps: steps, channel: e.channel, handler: e.handler, class: e.class})
	}
}

// String tells what an entry is, as it was written.
func (e *Entry) String() string {
	switch {
	case e.included:
		return fmt.Sprintf("Include %q", e.path)
	case e.channel == "" && e.handler == nil:
		return fmt.Sprintf("RouteClass %q", e.path)
	case e.path == "":
		return fmt.Sprintf("Route %q", e.channel)
	default:
		return fmt.Sprintf("Route %q, Path %q", e.channel, e.path)
	}
}

// compile compiles a pattern, which matches at the beginning; "" is none.
func compile(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	if _, err := regexp.Compile(pattern); err != nil { // which names it as it was written
		return nil, fmt.Errorf("the path is no regular expression of Go (package regexp/syntax): %w", err)
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)`)
	if err != nil {
		return nil, fmt.Errorf("the path is no regular expression that can stand at the beginning: %w", err)
	}
	for i, name := range re.SubexpNames()[1:] {
		switch {
		case name == "":
			return nil, errors.New("the path has a group without a name: write (?P<name>…), or (?:…) for none")
		case re.SubexpIndex(name) != i+1:
			return nil, fmt.Errorf("the path has two groups %q: rename one", name)
		}
	}
	return re, nil
}

// check tells what is wrong with an entry beside its path.
func (e *Entry) check() error {
	switch {
	case e.included:
		return nil
	case e.class != nil:
		return e.class.check(e.path)
	case e.channel == "" && e.handler == nil:
		return errors.New("the demultiplexer is nil: give one")
	case e.channel != connectChannel && e.channel != receiveChannel && e.channel != disconnectChannel:
		return fmt.Errorf("there is no channel %q: want %s, %s or %s", e.channel, connectChannel, receiveChannel, disconnectChannel)
	case e.handler == nil:
		return errors.New("the handler is nil: give a function")
	default:
		return nil
	}
}

func (d *Demultiplexer) check(path string) error {
	switch {
	case path == "":
		return errors.New(`it has no path: give one, such as "^/demultiplex/(?P<room_name>[a-zA-Z0-9_]+)/"`)
	case len(d.Consumers) == 0:
		return errors.New("the demultiplexer has no Consumers: give one for each stream")
	case d.HasPermission == nil && !d.Public:
		return errors.New("the demultiplexer has no HasPermission: give one, or set Public to let everybody in")
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(d.Consumers)) {
		bound, isBinding := d.Consumers[name].(interface{ Spec() *bind.Spec })
		switch {
		case !wire.ValidStream(name):
			faults = append(faults, fmt.Errorf("stream %q: want a name of 1 to 64 of A-Z a-z 0-9 . _ -", name))
		case isNil(d.Consumers[name]):
			faults = append(faults, fmt.Errorf("stream %q: the consumer is nil: give one", name))
		case isBinding && bound.Spec().Stream != name:
			faults = append(faults, fmt.Errorf("stream %q: the binding's Stream is %q: call both the same", name, bound.Spec().Stream))
		}
	}
	return errors.Join(faults...)
}

// isNil tells whether a consumer is nil, or a nil pointer to one.
func isNil(c Consumer) bool {
	v := reflect.ValueOf(c)
	return c == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// reach returns an error for what is asked of no path: it begins without a slash, or
// the app has something else there.
func (c *compiler) reach(steps []step) error {
	var text strings.Builder
	whole := true
	for i := 0; i < len(steps) && whole; i++ {
		if steps[i].pattern == nil {
			whole = i < len(steps)-1
			continue
		}
		tree, err := syntax.Parse(steps[i].pattern.String(), syntax.Perl)
		if err != nil {
			return err // it was compiled before
		}
		var part string
		part, whole = literal(tree.Simplify())
		text.WriteString(part)
	}
	begin := text.String()
	if begin != "" && begin[0] != '/' {
		return fmt.Errorf("it matches paths that begin with %q, and all begin with a slash: write ^/…", begin)
	}
	for _, path := range c.taken {
		if strings.HasSuffix(path, "/") && strings.HasPrefix(begin, path) || whole && begin == path {
			return fmt.Errorf("the app has something else at %s, which comes first: choose another path", path)
		}
	}
	return nil
}

// joined returns an error where a word of a prefix goes on in what is below it, as of
// "^/rooms" and "^wall/": it would match /roomswall/, and nothing below /rooms/.
func joined(steps []step) error {
	var before *syntax.Regexp
	for _, s := range steps {
		if s.pattern == nil {
			continue
		}
		tree, err := syntax.Parse(s.pattern.String(), syntax.Perl)
		if err != nil {
			return err // it was compiled before
		}
		tree = tree.Simplify()
		if before != nil {
			end, _ := last(before)
			text, _ := literal(tree)
			if begin, _ := utf8.DecodeRuneInString(text); isWord(end) && isWord(begin) {
				return fmt.Errorf("what is before it ends with %q, and it begins with %q: without a slash between they are one word of the path; "+
					"end the prefix with one, or begin with one", end, text)
			}
		}
		before = tree
	}
	return nil
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// last returns the rune that all matches of an expression end with, and whether they
// are empty. Where there is no such rune it is 0.
func last(e *syntax.Regexp) (r rune, empty bool) {
	switch {
	case e.Op == syntax.OpLiteral && e.Flags&syntax.FoldCase == 0:
		return e.Rune[len(e.Rune)-1], false
	case e.Op == syntax.OpBeginText, e.Op == syntax.OpBeginLine, e.Op == syntax.OpEndText, e.Op == syntax.OpEmptyMatch:
		return 0, true
	case e.Op == syntax.OpCapture:
		return last(e.Sub[0])
	case e.Op == syntax.OpConcat:
		for _, sub := range slices.Backward(e.Sub) {
			if r, empty = last(sub); !empty {
				return r, false
			}
		}
		return 0, true
	default:
		return 0, false
	}
}

// literal returns the text that all matches of an expression begin with, and
// whether they are nothing but that.
func literal(e *syntax.Regexp) (text string, whole bool) {
	switch {
	case e.Op == syntax.OpLiteral && e.Flags&syntax.FoldCase == 0:
		return string(e.Rune), true
	case e.Op == syntax.OpBeginText, e.Op == syntax.OpBeginLine, e.Op == syntax.OpEndText, e.Op == syntax.OpEmptyMatch:
		return "", true
	case e.Op == syntax.OpCapture:
		return literal(e.Sub[0])
	case e.Op == syntax.OpConcat:
		for _, sub := range e.Sub {
			part, all := literal(sub)
			if text += part; !all {
				return text, false
			}
		}
		return text, true
	default:
		return "", false
	}
}
