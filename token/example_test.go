package token_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

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
