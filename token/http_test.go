package token

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// post sends one request to a mux on which s is mounted.
func post(t testing.TB, s *Store, method, body string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	s.Mount(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, Path, strings.NewReader(body)))
	return w
}

func TestPostToken(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	w := post(t, s, http.MethodPost, `{"username":"ada","password":"lovelace","remember":true}`)
	var answer struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("answer is %d %s", w.Code, w.Body)
	}
	if _, err := s.Authenticate(t.Context(), nil, answer.Token); err != nil {
		t.Errorf("token %q is not accepted: %v", answer.Token, err)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestPostTokenRefuses(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	const noJSON = `{"error":{"code":"bad_request","message":"the body is not JSON: send {\"username\":\"…\",\"password\":\"…\"}"}}`
	const refused = `{"error":{"code":"unauthenticated","message":"unknown user or wrong password"}}`
	const absent = `{"error":{"code":"bad_request","message":"username and password must be given"}}`
	for _, c := range []struct {
		name, method, body string
		status             int
		want               string
	}{
		{"wrong method", http.MethodGet, ``, 405, `{"error":{"code":"bad_request","message":"send a POST request to log in, DELETE to log out"}}`},
		{"empty", http.MethodPost, ``, 400, noJSON},
		{"form", http.MethodPost, `username=ada&password=lovelace`, 400, noJSON},
		{"wrong type", http.MethodPost, `{"username":1,"password":"x"}`, 400, noJSON},
		{"two values", http.MethodPost, `{"username":"ada","password":"lovelace"}{}`, 400, noJSON},
		{"no password", http.MethodPost, `{"username":"ada"}`, 400, absent},
		{"null", http.MethodPost, `null`, 400, absent},
		{"large", http.MethodPost, `{"username":"` + strings.Repeat("x", maxBody) + `"}`, 413,
			`{"error":{"code":"too_large","message":"the body is too large"}}`},
		{"wrong password", http.MethodPost, `{"username":"ada","password":"x"}`, 401, refused},
		{"unknown user", http.MethodPost, `{"username":"eve","password":"x"}`, 401, refused},
		{"long password", http.MethodPost, `{"username":"ada","password":"` + strings.Repeat("x", 2000) + `"}`, 401, refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := post(t, s, c.method, c.body)
			if got := strings.TrimSpace(w.Body.String()); w.Code != c.status || got != c.want {
				t.Errorf("answer is %d %s\nwant      %d %s", w.Code, got, c.status, c.want)
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Error("the answer may be cached")
			}
			if c.status == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "DELETE, POST" {
				t.Error("Allow is missing")
			}
		})
	}
}

func TestPostTokenWhenBusy(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	for range cap(s.hasher.waiting) {
		s.hasher.waiting <- struct{}{}
	}
	w := post(t, s, http.MethodPost, `{"username":"ada","password":"lovelace"}`)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("answer is %d %s", w.Code, w.Body)
	}
}

// send sends a request with a token in its header.
func send(t testing.TB, s *Store, method, path, token string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	s.Mount(mux)
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	if token != "" {
		r.Header.Set("Authorization", "Token "+token)
	}
	r.AddCookie(&http.Cookie{Name: "token", Value: "counts for nothing"})
	mux.ServeHTTP(w, r)
	return w
}

func TestDeleteToken(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	token, other := login(t, s, "lovelace"), login(t, s, "lovelace")
	for range 2 { // the second time it is none already
		if w := send(t, s, http.MethodDelete, Path, token); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
			t.Errorf("answer is %d %s", w.Code, w.Body)
		}
	}
	_, err := s.Authenticate(t.Context(), nil, token)
	wantError(t, err, ErrInvalid)
	w := send(t, s, http.MethodDelete, Path, "")
	if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Token" {
		t.Errorf("without a token: %d %s", w.Code, w.Body)
	}
	if _, err := s.Authenticate(t.Context(), nil, other); err != nil {
		t.Errorf("the other token: %v", err)
	}
}

func TestPostRefresh(t *testing.T) {
	s := openStore(t)
	createAda(t, s)
	token := login(t, s, "lovelace")
	w := send(t, s, http.MethodPost, RefreshPath, token)
	var answer struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || answer.Token == token {
		t.Fatalf("answer is %d %s", w.Code, w.Body)
	}
	for _, good := range []string{token, answer.Token} {
		if _, err := s.Authenticate(t.Context(), nil, good); err != nil {
			t.Errorf("%s is not good: %v", good, err)
		}
	}
	exec(t, s, `UPDATE users SET is_active = FALSE`)
	for _, bad := range []string{"", "unknown", token} {
		if w := send(t, s, http.MethodPost, RefreshPath, bad); w.Code != http.StatusUnauthorized {
			t.Errorf("token %q: answer is %d %s", bad, w.Code, w.Body)
		}
	}
	if w := send(t, s, http.MethodGet, RefreshPath, token); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("GET: answer is %d %s", w.Code, w.Body)
	}
}

func TestInternalErrorStaysAtHome(t *testing.T) {
	var log strings.Builder
	s := openStore(t, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	createAda(t, s)
	exec(t, s, `UPDATE users SET password = 'plain'`)
	w := post(t, s, http.MethodPost, `{"username":"ada","password":"plain"}`)
	const want = `{"error":{"code":"internal","message":"internal error"}}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusInternalServerError || got != want {
		t.Errorf("answer is %d %s", w.Code, got)
	}
	if !strings.Contains(log.String(), "not an argon2id string: set the password anew") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestFromHeader(t *testing.T) {
	for header, want := range map[string]string{
		"":                "",
		"Token abc":       "abc",
		"Bearer abc":      "abc",
		"bearer  abc ":    "abc",
		"TOKEN abc":       "abc",
		"Basic YTpi":      "",
		"Token":           "",
		"abc":             "",
		"Token abc extra": "abc extra",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		if got := FromHeader(r); got != want {
			t.Errorf("FromHeader(%q) = %q, want %q", header, got, want)
		}
	}
}
