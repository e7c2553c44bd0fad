package main

import (
	"testing"

	"github.com/pando-sync/pando/internal/guidetest"
)

func TestGuide(t *testing.T) {
	guidetest.Quotes(t, "../../docs/guides/coming-from-django-channels.md", map[string][]string{"go": {"*.go", "api/*.go"}})
}
