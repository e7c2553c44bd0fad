package manage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long files must rest before they are built: editors and
// version control change several at once.
const settleTime = 200 * time.Millisecond

// watcher has something done whenever a Go file below a folder changes.
//
//	resting ──change──► settling ──settle──► running ──done──► resting
//	                     ▲  └─change─┘          │change
//	                     └──────────done────────┘
//
// Changes meanwhile are one more run, however many they are.
type watcher struct {
	root   string
	settle time.Duration
	// skip are folders that are not looked into.
	skip []string
	// run is called for changes, one call at a time. Its error is told to failed.
	run    func(ctx context.Context) error
	failed func(error)
	notify *fsnotify.Watcher
}

// open begins to watch. Close ends what it has begun; watch does so too.
func (w *watcher) open() error {
	var err error
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		return fmt.Errorf("watch Go files: %w", err)
	}
	if err := w.add(w.root); err != nil {
		w.notify.Close() //nolint:errcheck // nothing is lost
		return fmt.Errorf("watch Go files: %w", err)
	}
	return nil
}

// add watches a folder and those below it.
func (w *watcher) add(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != w.root: // it has gone again
			return nil
		case err != nil:
			return err
		case !entry.IsDir():
			return nil
		case path != w.root && w.skips(path):
			return fs.SkipDir
		}
		return w.notify.Add(path)
	})
}

// skips tells whether a folder has no sources of the app. The go command skips
// most of these too.
func (w *watcher) skips(path string) bool {
	name := filepath.Base(path)
	if name == "node_modules" || name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return true
	}
	return slices.Contains(w.skip, path)
}

// isSource tells whether what is generated may depend on a file.
func isSource(path string) bool {
	name := filepath.Base(path)
	switch {
	case name == "go.mod" || name == "go.sum" || name == "go.work":
		return true
	case strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.HasSuffix(name, "_test.go"):
		return false
	}
	return strings.HasSuffix(name, ".go")
}

// watch runs until ctx ends, and returns when nothing runs any more.
func (w *watcher) watch(ctx context.Context) {
	defer w.notify.Close() //nolint:errcheck // nothing is lost
	settled := time.NewTimer(w.settle)
	settled.Stop()
	defer settled.Stop()
	var running *task // nil while resting
	dirty := false
	for {
		var done chan struct{}
		if running != nil {
			done = running.done
		}
		select {
		case <-ctx.Done():
			if running != nil {
				<-running.done
			}
			return
		case event := <-w.notify.Events:
			if w.concerns(event) {
				dirty = true
				settled.Reset(w.settle)
			}
		case err := <-w.notify.Errors: // events were lost: it may have been any file
			w.failed(fmt.Errorf("watch Go files: %w", err))
			dirty = true
			settled.Reset(w.settle)
		case <-settled.C:
			if running == nil {
				running, dirty = begin(func() error { return w.run(ctx) }), false
			}
		case <-done:
			if err := running.err; err != nil && ctx.Err() == nil {
				w.failed(err)
			}
			if running = nil; dirty {
				settled.Reset(w.settle)
			}
		}
	}
}

// concerns tells whether an event may change what is generated. A new folder is
// watched from now on, and may have files already.
func (w *watcher) concerns(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	info, err := os.Stat(event.Name)
	if !event.Has(fsnotify.Create) || err != nil || !info.IsDir() {
		return isSource(event.Name)
	}
	if w.skips(event.Name) {
		return false
	}
	if err := w.add(event.Name); err != nil {
		w.failed(fmt.Errorf("watch Go files: %w", err))
	}
	return true
}
