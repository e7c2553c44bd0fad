package schema_test

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Money scans itself, so that its column's kind is anyone's guess.
type Money struct{ Cents int64 }

// Scan implements sql.Scanner.
func (*Money) Scan(any) error { return nil }

type Node struct {
	ID       int64
	Children []Node
}

type Ticket struct {
	ID       int64
	Comments []Comment
}

type Comment struct {
	ID     int64
	Ticket *Ticket
}

type StringKeyed struct {
	ID string
}

type Generic[T any] struct {
	ID    int64
	Value T
}

type NameAsText struct {
	ID    int64
	Name  string
	Other *NameAsInt
}

func (NameAsText) TableName() string { return "names" }

type NameAsInt struct {
	ID   int64
	Name int
}

func (NameAsInt) TableName() string { return "names" }

type OtherKey struct {
	ID int64 `pando:"column:other_id"`
}

func (OtherKey) TableName() string { return "names" }

type TwoKeysOneTable struct {
	ID    int64
	Other *OtherKey
}

func (TwoKeysOneTable) TableName() string { return "names" }

type NoTable struct{ ID int64 }

func (NoTable) TableName() string { return "" }

type Gorm struct {
	ID   int64 `gorm:"primaryKey"`
	Tags []Tag `gorm:"many2many:gorm_tags;foreignKey:Code"`
	Mark *Tag  `gorm:"foreignKey:Missing"`
	Code *Tag  `gorm:"references:Code"`
	Join *Tag  `bun:"rel:belongs-to,join:code=code"`
}

type Tag struct {
	ID int64
}

type (
	NoKey        struct{ Name string }
	NullablePart struct {
		A int  `pando:"key"`
		B *int `gorm:"primaryKey"`
	}
	FloatKey    struct{ ID float64 }
	NullableKey struct{ ID *int64 }
	UnsentKey   struct {
		ID int64 `json:"-"`
	}
	RelationAsKey struct{ ID Tag }
	Interface     struct {
		ID  int64
		Any any
	}
	Function struct {
		ID int64
		F  func()
	}
	PointerToPointer struct {
		ID int64
		P  **int
	}
	PointerToNull struct {
		ID int64
		P  *sql.NullString
	}
	OwnScan struct {
		ID    int64
		Price Money
	}
	ByteArray struct {
		ID  int64
		Sum [32]byte
	}
	Secret struct {
		ID           int64
		PasswordHash string
	}
	SecretByWireName struct {
		ID int64
		P  string `json:"token"`
	}
	UnknownTag struct {
		ID int64 `pando:"primary"`
	}
	FlagWithValue struct {
		ID int64 `pando:"key:id"`
	}
	TagWithoutValue struct {
		ID int64 `pando:"column"`
	}
	UnknownKind struct {
		ID int64 `pando:"kind:decimal"`
	}
	StringOnText struct {
		ID   int64
		Name string `pando:"string"`
	}
	OrderOnColumn struct {
		ID   int64
		Name string `pando:"order:name"`
	}
	KindOfTagOnRelation struct {
		ID  int64
		Tag *Tag `pando:"public"`
	}
	OrderOnBelongsTo struct {
		ID  int64
		Tag *Tag `pando:"order:id"`
	}
	OrderByUnknownColumn struct {
		ID   int64
		Tags []Tag `pando:"order:position"`
	}
	HasoneOnSlice struct {
		ID   int64
		Tags []Tag `pando:"hasone"`
	}
	SameWireName struct {
		ID int64
		A  string
		B  string `json:"a"`
	}
	SameColumn struct {
		ID int64
		A  string `json:"a" db:"c"`
		B  string `json:"b" db:"c"`
	}
	HiddenWireName struct {
		ID int64
		A  string `json:"@a"`
	}
	PrototypeWireName struct {
		ID int64
		A  string `json:"__proto__"`
	}
	LinkOfAnotherKind struct {
		ID            int64
		StringKeyedID int64
		StringKeyed   *StringKeyed
	}
	BadChild struct {
		ID   int64
		Cols []struct{ ID int64 }
	}
	UnknownInclude struct{ ID int64 }
	GormEmbedded   struct {
		ID int64
		In Tag `gorm:"embedded"`
	}
)

func TestDeclarationErrors(t *testing.T) {
	cases := []struct {
		name    string
		value   any
		include []string
	}{
		{"not a struct", 1, nil},
		{"anonymous struct", struct{ ID int64 }{}, nil},
		{"generic struct", Generic[int]{}, nil},
		{"empty table name", NoTable{}, nil},
		{"no key", NoKey{}, nil},
		{"nullable part of a key", NullablePart{}, nil},
		{"float key", FloatKey{}, nil},
		{"nullable key", NullableKey{}, nil},
		{"unsent key", UnsentKey{}, nil},
		{"relation as key", RelationAsKey{}, nil},
		{"interface", Interface{}, nil},
		{"function", Function{}, nil},
		{"pointer to pointer", PointerToPointer{}, nil},
		{"pointer to null", PointerToNull{}, nil},
		{"own scan", OwnScan{}, nil},
		{"byte array", ByteArray{}, nil},
		{"secret", Secret{}, nil},
		{"secret by wire name", SecretByWireName{}, nil},
		{"unknown tag", UnknownTag{}, nil},
		{"flag with value", FlagWithValue{}, nil},
		{"tag without value", TagWithoutValue{}, nil},
		{"unknown kind", UnknownKind{}, nil},
		{"string on text", StringOnText{}, nil},
		{"order on column", OrderOnColumn{}, nil},
		{"kind of tag on relation", KindOfTagOnRelation{}, nil},
		{"order on belongs-to", OrderOnBelongsTo{}, nil},
		{"order by unknown column", OrderByUnknownColumn{}, nil},
		{"hasone on slice", HasoneOnSlice{}, nil},
		{"same wire name", SameWireName{}, nil},
		{"same column", SameColumn{}, nil},
		{"hidden wire name", HiddenWireName{}, nil},
		{"prototype wire name", PrototypeWireName{}, nil},
		{"self reference", Node{}, nil},
		{"back reference", Ticket{}, nil},
		{"link of another kind", LinkOfAnotherKind{}, nil},
		{"column of two kinds", NameAsText{}, nil},
		{"table of two keys", TwoKeysOneTable{}, nil},
		{"bad child", BadChild{}, nil},
		{"unknown include", UnknownInclude{}, []string{"Tags.Owner"}},
		{"gorm many-to-many by another column", Gorm{}, []string{"Tags"}},
		{"gorm foreign key", Gorm{}, []string{"Mark"}},
		{"gorm references", Gorm{}, []string{"Code"}},
		{"bun join", Gorm{}, []string{"Join"}},
		{"gorm embedded", GormEmbedded{}, nil},
	}
	var got strings.Builder
	for _, c := range cases {
		_, err := schema.NewRegistry().Tree(reflect.TypeOf(c.value), schema.Include(c.include...))
		if err == nil {
			t.Errorf("%s: no error", c.name)
		}
		fmt.Fprintf(&got, "# %s\n%v\n", c.name, err)
	}
	golden(t, "errors.txt", got.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, rewrite with -update):\n%s", path, diff)
	}
}
