package xmltree

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// names numbers byte strings (prefixes, namespace names). Messages have a
// dozen of them, attacks have thousands: few are searched in a row, many by a
// hash that the sender cannot foresee.
type names struct {
	list  [][]byte
	table []int32 // open addressing, 1 + index into list; nil while the list is short
	seed  maphash.Seed
}

const fewNames = 12

// push appends. What is full grows to the double: append would grow large slices
// by a quarter at a time, and copy five times what there is in the end.
func push[T any](list []T, v T) []T {
	if len(list) == cap(list) {
		list = slices.Grow(list, max(len(list), fewNames))
	}
	return append(list, v)
}

// find gives the number of name, or -1.
func (n *names) find(name []byte) int32 {
	if n.table == nil {
		for i, have := range n.list {
			if bytes.Equal(have, name) {
				return int32(i)
			}
		}
		return -1
	}
	i, _ := n.slot(name)
	return i
}

// add gives the number of name, which is numbered if it was not.
func (n *names) add(name []byte) int32 {
	if i := n.find(name); i >= 0 {
		return i
	}
	n.list = push(n.list, name)
	if len(n.list) > fewNames && 2*len(n.list) > len(n.table) {
		n.grow()
	} else if n.table != nil {
		_, slot := n.slot(name)
		n.table[slot] = int32(len(n.list))
	}
	return int32(len(n.list) - 1)
}

func (n *names) slot(name []byte) (found int32, slot uint64) {
	mask := uint64(len(n.table) - 1)
	for slot = maphash.Bytes(n.seed, name) & mask; ; slot = (slot + 1) & mask {
		i := n.table[slot]
		if i == 0 {
			return -1, slot
		}
		if bytes.Equal(n.list[i-1], name) {
			return i - 1, slot
		}
	}
}

func (n *names) grow() {
	if n.table == nil {
		n.seed = maphash.MakeSeed()
	}
	n.table = make([]int32, max(64, 2*len(n.table)))
	for i, name := range n.list {
		_, slot := n.slot(name)
		n.table[slot] = int32(i + 1)
	}
}
