//go:build small

package main

import (
	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/backend/sqlite"
)

// kinds is SQLite alone: the other clients are not compiled.
func kinds() []backend.Kind { return []backend.Kind{sqlite.Kind()} }
