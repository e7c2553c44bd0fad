package redisbroker

import "hash/fnv"

// hostOf is the host of a name, by rendezvous hashing: each host draws a number
// for the name, and the largest has it. So every process finds the same one,
// whatever the order in which it names the hosts, and a host that is added or
// taken away moves only its own share.
func (b *Broker) hostOf(name string) *host {
	best := b.hosts[0]
	if len(b.hosts) == 1 {
		return best
	}
	top := draw(best.name, name)
	for _, h := range b.hosts[1:] {
		if n := draw(h.name, name); n > top || n == top && h.name > best.name {
			best, top = h, n
		}
	}
	return best
}

// draw is a host's number for a name.
func draw(host, name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write([]byte(host))
	n := h.Sum64()
	// The last bytes of what is hashed reach few of the sum's bits: spread them.
	n ^= n >> 30
	n *= 0xbf58476d1ce4e5b9
	n ^= n >> 27
	n *= 0x94d049bb133111eb
	return n ^ n>>31
}
