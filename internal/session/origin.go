package session

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/token"
)

// fromAllowedPage keeps pages of other sites from using a browser's network
// place. Programs send no Origin.
func (s *Server) fromAllowedPage(r *http.Request) bool {
	return slices.Contains(s.cfg.Origins, "*") || fromKnownPage(r, s.cfg.Origins)
}

// fromKnownPage tells whether a request comes from no page, from one of the
// server's own, or from one that is listed by name: "*" lists none.
func fromKnownPage(r *http.Request, origins []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) || slices.ContainsFunc(origins, func(o string) bool {
		return strings.EqualFold(o, u.Host) || strings.EqualFold(o, origin)
	})
}

// CheckAmbient refuses an identity for pages that the app does not name, when
// the browser sent the credential by itself, as it does cookies: any page could
// have made it do so. tok is the token that the request had otherwise.
func CheckAmbient(r *http.Request, origins []string, user token.Identity, tok string) error {
	if !user.Ambient && (tok != "" || user.ID == "") {
		return nil
	}
	// A page that has the browser fetch something in passing, as an image, sends
	// no Origin.
	site := r.Header.Get("Sec-Fetch-Site")
	inPassing := r.Header.Get("Origin") == "" && (site == "cross-site" || site == "same-site")
	if fromKnownPage(r, origins) && !inPassing {
		return nil
	}
	return rpc.Errorf("denied", "a page of another origin may not use this browser's cookies: list its host in Config.Origins, or send a token")
}
