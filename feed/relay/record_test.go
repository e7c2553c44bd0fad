package relay

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
)

// vectors are records and their bytes, which nodes of other releases read.
var vectors = []struct {
	record record
	bytes  string
}{
	{record{kind: begun, term: 3, life: 1, epoch: "pg.1.abc", base: 7, position: 300, previous: 300, visible: 290, from: 12}, "50010100 03 01 07 ac02ac02 00 a202 0c 00 00 00 08 70672e312e616263"},
	{record{kind: renewed, term: 1, life: 2, epoch: "pg.1.abc", base: 7, position: 7, previous: 6, transaction: 5, visible: 6, from: 1, body: []byte("why")}, "50010200 01 02 07 07 06 05 06 01 00 00 00 08 70672e312e616263 776879"},
	{record{kind: advanced, term: 1, epoch: "e.g", position: 1 << 40, previous: 1<<40 - 1, first: 9}, "50010300 01 00 00 808080808020 ffffffffff1f 00 00 00 00 00 09 03 652e67"},
	{record{kind: committed, more: true, split: true, packed: true, term: 200, epoch: "e.g", position: 2, previous: 1, transaction: 1 << 33, part: 4, piece: 3, first: 130, body: []byte{0, 255}}, "50010407 c801 00 00 02 01 8080808020 00 00 04 03 8201 03 652e67 00ff"},
}

// TestVectors encodes and decodes what is settled.
func TestVectors(t *testing.T) {
	for _, v := range vectors {
		want, err := hex.DecodeString(strings.ReplaceAll(v.bytes, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.record.encode(); !bytes.Equal(got, want) {
			t.Errorf("%+v is encoded as\n%x, want\n%x", v.record, got, want)
		}
		got, err := decode(want)
		if err != nil {
			t.Fatalf("decode %x: %v", want, err)
		}
		if len(got.body) == 0 {
			got.body = nil
		}
		if !reflect.DeepEqual(*got, v.record) {
			t.Errorf("decoded %+v, want %+v", *got, v.record)
		}
	}
}

// TestDecodeRefuses refuses what no release has written, and what a later one
// has.
func TestDecodeRefuses(t *testing.T) {
	good := vectors[0].record.encode()
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"empty":         {nil, errForeign},
		"another mark":  {append([]byte{'Q'}, good[1:]...), errForeign},
		"version 0":     {append([]byte{mark, 0}, good[2:]...), errForeign},
		"later version": {append([]byte{mark, version + 1}, good[2:]...), errNewer},
		"kind":          {append([]byte{mark, version, byte(committed) + 1}, good[3:]...), errForeign},
		"flags":         {append([]byte{mark, version, byte(begun), flagMore}, good[4:]...), errForeign},
		"body":          {append(bytes.Clone(good), 1), errForeign},
		"cut off":       {good[:len(good)-1], errForeign},
		"backwards":     {(&record{kind: advanced, position: 1, previous: 2}).encode(), errForeign},
		"long epoch":    {(&record{kind: advanced, epoch: strings.Repeat("x", maxEpoch+1)}).encode(), errForeign},
	} {
		if _, err := decode(c.body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzDecode decodes anything without a panic, and encodes what it decoded to
// what is decoded alike.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.record.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(r.encode())
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%+v becomes %+v: %v", r, again, err)
		}
	})
}

// TestUnpackRefuses refuses what cannot be unpacked, or would be too large.
func TestUnpackRefuses(t *testing.T) {
	packed, ok := compress(bytes.Repeat([]byte("pando "), 1000))
	if !ok {
		t.Fatal("repetitions are not packed")
	}
	for name, data := range map[string][]byte{
		"empty": nil, "cut off": packed[:len(packed)-1], "too large": binary.AppendUvarint(nil, maxPart+1),
	} {
		if _, err := unpack(data, true); err == nil {
			t.Errorf("%s: unpacked", name)
		}
	}
}

// TestPack cuts parts into records that a stream takes, and puts them together.
func TestPack(t *testing.T) {
	random := make([]byte, 3*broker.MaxRecord)
	state := uint32(1)
	for i := range random {
		state = state*1664525 + 1013904223
		random[i] = byte(state >> 24)
	}
	for name, data := range map[string][]byte{
		"empty": {}, "small": []byte("small"), "even": random[:maxBody], "large": random, "repetitive": bytes.Repeat([]byte("pando "), 400_000),
	} {
		records, err := pack(feed.Part{Position: 5, Transaction: 6, More: true, Data: data}, 2)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var joined []byte
		for i, r := range records {
			r.epoch = strings.Repeat("e", maxEpoch)
			if len(r.encode()) > broker.MaxRecord {
				t.Errorf("%s: record %d has %d bytes", name, i, len(r.encode()))
			}
			if last := i == len(records)-1; r.split == last || !r.more || r.part != 2 || r.piece != uint64(i) || r.position != 5 || r.transaction != 6 {
				t.Errorf("%s: record %d is %+v", name, i, r)
			}
			joined = append(joined, r.body...)
		}
		got, err := unpack(joined, records[0].packed)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes become %d: %v", name, len(data), len(got), err)
		}
		if name == "repetitive" && len(joined) > len(data)/10 {
			t.Errorf("%d bytes are packed into %d", len(data), len(joined))
		}
	}
}
