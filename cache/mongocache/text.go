package mongocache

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/pando-sync/pando/cache"
)

// Not all servers that speak the protocol keep texts with a zero byte.
var (
	toStored   = strings.NewReplacer("%", "%25", "\x00", "%00")
	fromStored = strings.NewReplacer("%25", "%", "%00", "\x00")
)

// idOf is the _id of a key's entry: keys may be long, and differ where their texts
// put together do not.
func idOf(k cache.Key) string {
	h := sha256.New()
	for _, text := range []string{k.Epoch, k.Channel, k.Schema, k.Anchor, k.Env} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write([]byte(text))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// rowIDOf is the _id of a row: rows of a group lie together.
func rowIDOf(group, id string) string {
	return group + "/" + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// never stands for the zero time, and is after all others.
const never bson.DateTime = 253402300799999 // the last of the year 9999

func toDate(t time.Time) bson.DateTime {
	if t.IsZero() {
		return never
	}
	return bson.NewDateTimeFromTime(t)
}

func fromDate(d bson.DateTime) time.Time {
	if d == never {
		return time.Time{}
	}
	return time.UnixMilli(int64(d))
}
