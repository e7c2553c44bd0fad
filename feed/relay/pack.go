package relay

import (
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/pando-sync/pando/feed"
)

const (
	// packable is the size in bytes from which on compressing is tried.
	packable = 1 << 10
	// maxPart is the size in bytes of a part, which is held in memory as a whole.
	maxPart = 1 << 30
)

// pack makes the records of a part. They share nothing with its Data. What all
// records of a stream have is filled in when they are appended.
func pack(part feed.Part, index uint64) ([]*record, error) {
	if len(part.Data) > maxPart {
		return nil, fmt.Errorf("a part of the commit at %d has %d bytes, %d are the most: the source must cut it", part.Position, len(part.Data), maxPart)
	}
	data, packed := compress(part.Data)
	var records []*record
	for split := true; split; {
		piece := data[:min(len(data), maxBody)]
		data = data[len(piece):]
		split = len(data) > 0
		records = append(records, &record{
			kind: committed, position: part.Position, transaction: part.Transaction,
			more: part.More, split: split, packed: packed, part: index, piece: uint64(len(records)), body: piece,
		})
	}
	return records, nil
}

// compress returns data compressed, where that saves an eighth, or a copy.
func compress(data []byte) (packed []byte, smaller bool) {
	if len(data) >= packable {
		if packed = s2.Encode(nil, data); len(packed) <= len(data)-len(data)/8 {
			return packed, true
		}
	}
	return append(packed[:0], data...), false
}

// unpack is the inverse of compress.
func unpack(data []byte, packed bool) ([]byte, error) {
	if !packed {
		return data, nil
	}
	n, err := s2.DecodedLen(data)
	if err == nil && n > maxPart {
		err = fmt.Errorf("it has %d bytes, %d are the most", n, maxPart)
	}
	if err == nil {
		data, err = s2.Decode(nil, data)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack a part: %w", err)
	}
	return data, nil
}
