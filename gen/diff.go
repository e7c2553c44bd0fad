package gen

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// shown is how many unchanged lines a diff shows around changed ones.
const shown = 3

// maxTable bounds the table of the line comparison; files beyond it, which are
// hardly alike, are shown as replaced.
const maxTable = 4 << 20

// edit is one line of a diff: ' ' kept, '-' removed, '+' added.
type edit struct {
	op   byte
	line string
}

// writeDiff writes a unified diff of two texts, nothing if they are the same;
// nil is the text of no file.
func writeDiff(w io.Writer, name string, before, after []byte) error {
	if bytes.Equal(before, after) {
		return nil
	}
	from, to := name, name
	if before == nil {
		from = os.DevNull
	}
	if after == nil {
		to = os.DevNull
	}
	edits := compareLines(lines(string(before)), lines(string(after)))
	if _, err := fmt.Fprintf(w, "--- %s\n+++ %s\n", from, to); err != nil {
		return err
	}
	for start := 0; start < len(edits); {
		first := nextChange(edits, start)
		if first < 0 {
			return nil
		}
		end := first
		for {
			next := nextChange(edits, end)
			if next < 0 || next > end+2*shown {
				break
			}
			end = next + 1
		}
		if err := writeHunk(w, edits, max(start, first-shown), min(len(edits), end+shown)); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// nextChange is the index of the first changed line at or after from, or -1.
func nextChange(edits []edit, from int) int {
	for i := from; i < len(edits); i++ {
		if edits[i].op != ' ' {
			return i
		}
	}
	return -1
}

func writeHunk(w io.Writer, edits []edit, from, to int) error {
	var b strings.Builder
	oldLine, newLine := count(edits[:from], '+'), count(edits[:from], '-')
	oldCount, newCount := count(edits[from:to], '+'), count(edits[from:to], '-')
	fmt.Fprintf(&b, "@@ -%s +%s @@\n", span(oldLine, oldCount), span(newLine, newCount))
	for _, e := range edits[from:to] {
		b.WriteByte(e.op)
		b.WriteString(e.line)
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// span is a range of lines after a number of others; an empty range names the
// line before it.
func span(before, count int) string {
	if count > 0 {
		before++
	}
	return fmt.Sprintf("%d,%d", before, count)
}

// count counts the lines on one side: all without those of the other's mark.
func count(edits []edit, without byte) int {
	n := 0
	for _, e := range edits {
		if e.op != without {
			n++
		}
	}
	return n
}

// lines splits a text. A last line without an end has a mark, as in every diff.
func lines(s string) []string {
	switch {
	case s == "":
		return nil
	case strings.HasSuffix(s, "\n"):
		return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	default:
		all := strings.Split(s, "\n")
		all[len(all)-1] += "\n\\ No newline at end of file"
		return all
	}
}

// compareLines finds the fewest changes from a to b.
func compareLines(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, edit{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	slices.Reverse(tail)
	return slices.Concat(head, compareMiddle(a, b), tail)
}

// compareMiddle walks the table of longest common subsequences of the rests.
func compareMiddle(a, b []string) []edit {
	wide := len(b) + 1
	var common []int32
	if (len(a)+1)*wide <= maxTable {
		common = make([]int32, (len(a)+1)*wide)
		for i := range slices.Backward(a) {
			for j := range slices.Backward(b) {
				if a[i] == b[j] {
					common[i*wide+j] = common[(i+1)*wide+j+1] + 1
				} else {
					common[i*wide+j] = max(common[(i+1)*wide+j], common[i*wide+j+1])
				}
			}
		}
	}
	var edits []edit
	i, j := 0, 0
	for i < len(a) && j < len(b) && common != nil {
		switch {
		case a[i] == b[j]:
			edits = append(edits, edit{' ', a[i]})
			i, j = i+1, j+1
		case common[(i+1)*wide+j] >= common[i*wide+j+1]:
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[j]})
			j++
		}
	}
	for ; i < len(a); i++ {
		edits = append(edits, edit{'-', a[i]})
	}
	for ; j < len(b); j++ {
		edits = append(edits, edit{'+', b[j]})
	}
	return edits
}
