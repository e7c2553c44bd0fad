package oracle_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// TestMembers lists the rows of trees, and the places below them.
func TestMembers(t *testing.T) {
	id := []string{"id"}
	parts := &model.Layer{Name: "parts", Relation: model.HasMany, Link: []string{"part_of"}, Depth: 1}
	goods := &model.Layer{Name: "goods", Table: "goods", Relation: model.HasMany, Link: []string{"shop"}, Fields: id, UserKey: "owner", Layers: []*model.Layer{parts}}
	shops := &model.Layer{Table: "shops", Relation: model.Root, Fields: id, Layers: []*model.Layer{goods}}
	list := &model.Layer{Table: "goods", Relation: model.Root, Fields: id}
	for _, c := range []struct {
		name    string
		channel *model.Channel
		user    string
		want    string
	}{
		{"one's own, and the parts of it", &model.Channel{Root: shops}, "7", "goods 3 . goods 3 .parts goods 4 . shops 1 . shops 1 .goods"},
		{"nobody's", &model.Channel{Root: shops}, "", "shops 1 . shops 1 .goods"},
		{"beyond the limit", &model.Channel{Root: list, List: true, Limit: 1}, "7", "goods 3 . goods 4 . goods 5 . goods 6 ."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := schema()
			s.Channels = []*model.Channel{c.channel}
			structs := map[*model.Layer]*model.Layer{}
			c.channel.Root.Walk(func(l *model.Layer) { structs[l] = l })
			var got []string
			for m := range maps.Keys(read(t, s).Members(oracle.Route{Args: []string{"1"}}, c.user, structs)) {
				got = append(got, m.Struct.Table+" "+m.Key+" ."+m.Relation)
			}
			slices.Sort(got)
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}

// TestTexts writes keys, links and values as they travel.
func TestTexts(t *testing.T) {
	s := schema()
	d := read(t, s)
	sales, goods := s.Table("sales"), s.Table("goods")
	sale := d.Row("sales", "1,b")
	if sale == nil || oracle.KeyText(sales, sale) != "1,b" || oracle.LinkText(sales, []string{"good"}, sale) != "4" {
		t.Errorf("the sale is %v", sale)
	}
	if d.Row("sales", "1,x") != nil || d.Row("goods", "none") != nil {
		t.Error("there are rows that there are not")
	}
	good := d.Row("goods", "3")
	if link := oracle.LinkText(goods, []string{"part_of"}, good); link != "" {
		t.Errorf("a link to nothing is %q", link)
	}
	for column, want := range map[string]string{"id": `"3"`, "shop": `"1"`, "owner": "7", "sold": "true", "doc": `{"a":[null],"b":1}`} {
		if got := oracle.Text(goods, column, good[goods.Index(column)]); got != want {
			t.Errorf("%s is %s, want %s", column, got, want)
		}
	}
}
