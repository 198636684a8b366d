package generate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// nameOf returns the name of a policy: its purpose, in which a star stands for the
// pods.
func (b *builder) nameOf(f *draft) string {
	return strings.Replace(f.purpose, "*", b.w.who(f.draftKey), 1)
}

// who returns a part of a DNS label for the pods of a policy: "pods" for all of a
// namespace, else the workload that they belong to, or the label by which they are
// selected, or else some of the workloads.
func (w *world) who(key draftKey) string {
	if key.pods == "" {
		return "pods"
	}
	s, err := parseSelector(key.pods)
	if err != nil {
		panic("cannot happen: a Selector prints what kubectl reads: " + err.Error())
	}
	var owners []string
	for _, i := range w.subjects(w.namespaces[key.namespace]) {
		if p := w.pods[i]; s.Matches(p.Labels) {
			owners = append(owners, cmp.Or(p.Owner.Name, p.Name.Name))
		}
	}
	slices.Sort(owners)
	owners = slices.Compact(owners)
	label, value, isOne := strings.Cut(key.pods, "=")
	isOne = isOne && !strings.ContainsAny(key.pods, "!,")
	const few = 3
	switch n := len(owners); {
	case n == 1:
		return dnsLabel(owners[0])
	case isOne && (value == "" || value == "true"):
		return dnsLabel(label[strings.Index(label, "/")+1:])
	case isOne:
		return dnsLabel(value)
	case n > few:
		return dnsLabel(owners[0]) + fmt.Sprintf("-and-%d-more", n-1)
	}
	return dnsLabel(strings.Join(owners, "-"))
}

// dnsLabel returns a text as a part of a DNS label, which leaves room for what is
// put around it.
func dnsLabel(text string) string {
	const most = 36 // of the 63 that there are
	label := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text))
	label = strings.Trim(label[:min(most, len(label))], "-")
	return cmp.Or(label, "pods")
}
