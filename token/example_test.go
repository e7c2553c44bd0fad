package token_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/pando-sync/pando/token"
	_ "modernc.org/sqlite"
)

func Example() {
	dir, err := os.MkdirTemp("", "token")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "app.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	ctx := context.Background()
	store := token.New(db)
	if err := store.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := store.CreateUser(ctx, "ada", "lovelace", "Ada Lovelace"); err != nil {
		log.Fatal(err)
	}

	issued, err := store.Login(ctx, "ada", "lovelace")
	if err != nil {
		log.Fatal(err)
	}
	identity, err := store.Authenticate(ctx, nil, issued)
	fmt.Println(identity.ID, identity.Value.(token.User).Name, err)

	_, err = store.Login(ctx, "ada", "byron")
	fmt.Println(errors.Is(err, token.ErrInvalid))
	// Output:
	// 1 Ada Lovelace <nil>
	// true
}

func ExampleNewJWT() {
	type Claims struct {
		Name string `json:"name"`
	}
	secret := []byte("thirty-two random bytes, or more")
	auth, err := token.NewJWT[Claims](token.JWTConfig{Algorithms: []string{"HS256"}, Keys: []any{secret}, Audience: "board"})
	if err != nil {
		log.Fatal(err)
	}

	// What a login service does elsewhere.
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, nil)
	if err != nil {
		log.Fatal(err)
	}
	issued, err := jwt.Signed(signer).Claims(Claims{Name: "Ada Lovelace"}).Claims(jwt.Claims{
		Subject: "ada", Audience: jwt.Audience{"board"}, Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).Serialize()
	if err != nil {
		log.Fatal(err)
	}

	identity, err := auth.Authenticate(context.Background(), nil, issued)
	fmt.Println(identity.ID, identity.Value.(Claims).Name, err)
	// Output: ada Ada Lovelace <nil>
}

func ExampleFirst() {
	sessions := map[string]string{"s3ss10n": "1"}
	auth := token.First(
		token.NewDRF(nil), // asked for tokens alone
		token.Session(func(_ context.Context, r *http.Request) (token.Identity, error) {
			cookie, err := r.Cookie("session")
			if err != nil {
				return token.Identity{}, token.ErrNone
			}
			return token.Identity{ID: sessions[cookie.Value]}, nil
		}),
	)
	r := httptest.NewRequest(http.MethodGet, "/ws", http.NoBody)
	r.AddCookie(&http.Cookie{Name: "session", Value: "s3ss10n"})
	identity, err := auth.Authenticate(context.Background(), r, "")
	fmt.Println(identity.ID, identity.Ambient, err)
	// Output: 1 true <nil>
}
