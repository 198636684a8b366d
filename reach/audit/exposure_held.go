package audit

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/polreach/polreach/policy"
)

// A holding tells which pods peers hold, and remembers it.
type holding struct {
	s     *subject
	pods  []*subjectPod // all that policies can select
	addrs []podAddr     // theirs, sorted
	known map[string][]*subjectPod
}

type podAddr struct {
	addr netip.Addr
	pod  *subjectPod
}

func newHolding(s *subject) *holding {
	h := &holding{s: s, known: make(map[string][]*subjectPod)}
	for i := range s.model.Namespaces {
		h.pods = append(h.pods, s.podsIn[s.model.Namespaces[i].Name]...)
	}
	for _, pod := range h.pods {
		for _, a := range pod.Addrs {
			h.addrs = append(h.addrs, podAddr{a, pod})
		}
	}
	slices.SortStableFunc(h.addrs, func(a, b podAddr) int { return a.addr.Compare(b.addr) })
	return h
}

// by returns the pods that a peer holds, in the order of the subject. The caller must
// not change the slice.
func (h *holding) by(peer policy.Peer) []*subjectPod {
	var key string
	var find func() []*subjectPod
	switch peer := peer.(type) {
	case policy.Anyone:
		return h.pods
	case policy.Pods:
		key, find = peer.String(), func() []*subjectPod { return h.s.picked(peer) }
	case policy.Block:
		if h.s.profile.IPBlockSkipsPods {
			return nil
		}
		key, find = blockKey(peer), func() []*subjectPod { return h.at(peer) }
	}
	pods, ok := h.known[key]
	if !ok {
		pods = find()
		h.known[key] = pods
	}
	return pods
}

// blockKey returns a text that is the same for equal blocks, and for no peer that
// picks by labels.
func blockKey(b policy.Block) string {
	key, err := b.Addrs.AppendBinary([]byte{0})
	if err != nil {
		panic("audit: " + err.Error()) // AppendBinary returns no error
	}
	return string(key)
}

// at returns the pods that have addresses in a block.
func (h *holding) at(b policy.Block) []*subjectPod {
	var pods []*subjectPod
	for prefix := range b.Addrs.Prefixes() {
		i, _ := slices.BinarySearchFunc(h.addrs, prefix.Addr(), func(a podAddr, b netip.Addr) int { return cmp.Compare(a.addr.Compare(b), 0) })
		for ; i < len(h.addrs) && prefix.Contains(h.addrs[i].addr); i++ {
			pods = append(pods, h.addrs[i].pod)
		}
	}
	return distinct(pods)
}
