package audit

import (
	"strconv"
	"strings"

	"github.com/polreach/polreach/policy"
)

// runPlugin is what to do if policies are not enforced.
const runPlugin = "run a plugin that enforces policies"

var directions = [...]policy.Direction{policy.Ingress, policy.Egress}

func opposite(d policy.Direction) policy.Direction {
	if d == policy.Ingress {
		return policy.Egress
	}
	return policy.Ingress
}

// policyType returns the name of a direction in policyTypes.
func policyType(d policy.Direction) string {
	if d == policy.Ingress {
		return "Ingress"
	}
	return "Egress"
}

// peersField returns the name of the field with the peers of a rule.
func peersField(d policy.Direction) string {
	if d == policy.Ingress {
		return "from"
	}
	return "to"
}

// count returns a number of things: "1 pod", "2 policies".
func count(n int, thing string) string { return strconv.Itoa(n) + " " + noun(n, thing) }

// noun returns the word for one thing, or for any other number of them.
func noun(n int, thing string) string {
	stem, ok := strings.CutSuffix(thing, "y")
	switch {
	case n == 1:
		return thing
	case ok:
		return stem + "ies"
	}
	return thing + "s"
}

// verb returns a verb for n subjects.
func verb(n int, plural string) string {
	if n == 1 {
		return plural + "s"
	}
	return plural
}

// podNames returns the names of pods, of many the first ones.
func podNames(pods []*subjectPod) string {
	var names []string
	for _, p := range pods {
		names = append(names, p.end.String())
	}
	return list(names)
}

// list returns words as a list, of many the first three and how many more there are.
func list(words []string) string {
	switch n := len(words); {
	case n == 0:
		return "none"
	case n == 1:
		return words[0]
	case n > 4:
		return strings.Join(words[:3], ", ") + " and " + strconv.Itoa(n-3) + " others"
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
