//go:build small

package main

import (
	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/backend/sqlite"
)

// kinds is SQLite alone, which is built in half the time.
func kinds() []backend.Kind { return []backend.Kind{sqlite.Kind()} }
