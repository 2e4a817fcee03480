package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"tracksource/internal/answer"
	"tracksource/internal/api"
	"tracksource/report"
)

// written says what was when it was written as JSON.
type written struct{ is func() string }

func (w written) MarshalJSON() ([]byte, error) { return []byte(`"` + w.is() + `"`), nil }

// TestEagerPackage: garbage is collected eagerly from before a package is worked out until
// it is written, or has failed; of other answers as always.
func TestEagerPackage(t *testing.T) {
	eager := 0
	is := func() string {
		if eager > 0 {
			return "eager"
		}
		return "as always"
	}
	ask := func(path string, large bool, err error) api.Ask {
		return api.Ask{Path: path, Large: large, Do: func(context.Context, report.Viewer, answer.Query, []byte) (any, error) {
			return []any{is(), written{is}}, err
		}}
	}
	s := serve(t, config(func(c *api.Config) {
		c.Eager = func() func() { eager++; return func() { eager-- } }
	}), &tide{}, ask("/api/v1/package", true, nil), ask("/api/v1/breakdown", false, nil), ask("/api/v1/refused", true, errors.New("no")))
	for path, want := range map[string]string{"/api/v1/package": `["eager","eager"]`, "/api/v1/breakdown": `["as always","as always"]`} {
		if w := do(s, http.MethodGet, path, ""); w.Body.String() != want || eager != 0 {
			t.Errorf("%s was made %s and left %d eager, want %s and none", path, w.Body, eager, want)
		}
	}
	if w := do(s, http.MethodGet, "/api/v1/refused", ""); w.Code != http.StatusInternalServerError || eager != 0 {
		t.Errorf("what failed is %d and left %d eager", w.Code, eager)
	}
}
