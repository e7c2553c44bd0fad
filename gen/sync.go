package gen

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Mode says what Sync does besides bringing files up to date.
type Mode struct {
	// DryRun and Check write no file. They differ in what the caller makes of
	// the result: a check fails when something would change.
	DryRun, Check bool
	// Quiet writes no diff.
	Quiet bool
	// Force overwrites files that were not generated.
	Force bool
}

// Sync brings the folder's files to the state of files: it writes a unified
// diff of each that differs to out, and writes those files, each at once, so
// that a watching build tool never reads half of one. Others are not touched.
// Changed tells whether any differed. A file in the way that does not begin as
// generated ones do is an error unless forced, before anything is written.
func Sync(dir string, files []File, mode Mode, out io.Writer) (changed bool, err error) {
	var stale []File
	for _, f := range files {
		before, err := os.ReadFile(filepath.Join(dir, f.Name)) //nolint:gosec // the developer named the folder
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("compare generated file: %w", err)
		}
		if err == nil && string(before) == string(f.Data) {
			continue
		}
		if err == nil && !mode.Force && !strings.HasPrefix(string(before), header) {
			return false, fmt.Errorf("%s was not generated: move it away, or overwrite it with --force", filepath.Join(dir, f.Name))
		}
		if !mode.Quiet {
			if err := writeDiff(out, f.Name, string(before), string(f.Data)); err != nil {
				return false, fmt.Errorf("show what changed: %w", err)
			}
		}
		stale = append(stale, f)
	}
	if mode.DryRun || mode.Check {
		return len(stale) > 0, nil
	}
	for _, f := range stale {
		if err := replace(filepath.Join(dir, f.Name), f.Data); err != nil {
			return true, fmt.Errorf("write generated file: %w", err)
		}
	}
	return len(stale) > 0, nil
}

// replace writes a file beside the old one and puts it in its place.
func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // fails once it is renamed
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(0o644), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
