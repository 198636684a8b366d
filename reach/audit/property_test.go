package audit_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// A namespace is reported for a direction exactly if some pod of it is not isolated,
// and each proof is a flow that is allowed.
func TestPropertyIsolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 4}
		c := gen.Clusters().Draw(t, "cluster")
		profile := gen.Profiles().Draw(t, "profile")
		g, err := profile.Compile(c)
		require.NoError(t, err)
		m, err := c.Model()
		require.NoError(t, err)
		want := []string{}
		live := slices.DeleteFunc(slices.Clone(m.Pods), func(p policy.Pod) bool { return p.Terminated })
		for _, ns := range m.Namespaces {
			for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
				open := false
				for i, end := range g.Pods() {
					p := live[i]
					policed := !p.HostNetwork || profile.HostNetworkAsPods
					open = open || p.Name.Namespace == ns.Name && policed && !g.Isolated(end, d)
				}
				if open {
					want = append(want, ns.Name+": no-default-deny-"+d.String())
				}
			}
		}
		findings, err := audit.Run(g, append(checksOf("no-default-deny", "pod"), "unlisted-direction")...)
		require.NoError(t, err)
		got := []string{}
		for _, f := range findings {
			if f.Kind == "Namespace" {
				got = append(got, f.Name.Name+": "+f.Check)
			}
			if f.Proof.Flow != (reach.Flow{}) {
				assert.Equal(t, strings.HasPrefix(f.Proof.Text, "allowed"), g.Allows(f.Proof.Flow), "%v", f.Proof)
			}
		}
		assert.ElementsMatch(t, want, got)
	})
}

// containersOf returns the containers of pods and workloads by the names that a Graph
// has for them, with init containers that are sidecars.
func containersOf(c *policy.Cluster) map[string][]corev1.Container {
	all := make(map[string][]corev1.Container)
	add := func(kind, ns, name string, spec *corev1.PodSpec) {
		list := slices.Clone(spec.Containers)
		for _, i := range spec.InitContainers {
			if i.RestartPolicy != nil && *i.RestartPolicy == corev1.ContainerRestartPolicyAlways {
				list = append(list, i)
			}
		}
		if ns == "" {
			ns = "default"
		}
		all[kind+" "+ns+"/"+name] = list
	}
	for _, o := range c.Pods {
		add("Pod", o.Namespace, o.Name, &o.Spec)
	}
	for _, o := range c.Deployments {
		add("Deployment", o.Namespace, o.Name, &o.Spec.Template.Spec)
	}
	for _, o := range c.ReplicaSets {
		add("ReplicaSet", o.Namespace, o.Name, &o.Spec.Template.Spec)
	}
	for _, o := range c.StatefulSets {
		add("StatefulSet", o.Namespace, o.Name, &o.Spec.Template.Spec)
	}
	for _, o := range c.DaemonSets {
		add("DaemonSet", o.Namespace, o.Name, &o.Spec.Template.Spec)
	}
	for _, o := range c.Jobs {
		add("Job", o.Namespace, o.Name, &o.Spec.Template.Spec)
	}
	for _, o := range c.CronJobs {
		add("CronJob", o.Namespace, o.Name, &o.Spec.JobTemplate.Spec.Template.Spec)
	}
	for _, o := range c.ReplicationControllers {
		if o.Spec.Template != nil {
			add("ReplicationController", o.Namespace, o.Name, &o.Spec.Template.Spec)
		}
	}
	return all
}

// A rule is reported with the number of flows that it allows by a peer with labels, on
// ports that are declared, and that the other end denies. Those by peers that are
// whole namespaces count if none of them is allowed.
func TestPropertyHalfOpen(t *testing.T) {
	reported := 0
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 6, Complete: true}
		c := gen.Clusters().Draw(t, "cluster")
		g, err := reach.Compile(c)
		require.NoError(t, err)
		m, err := c.Model()
		require.NoError(t, err)
		containers := containersOf(c)
		live := slices.DeleteFunc(slices.Clone(m.Pods), func(p policy.Pod) bool { return p.Terminated })
		byName := make(map[string]*policy.Policy)
		for _, p := range m.Policies {
			byName[p.Name.String()] = p
		}
		type tally struct{ wanted, denied int }
		named, wide := make(map[string]*tally), make(map[string]*tally)
		ends := g.Pods()
		for i, from := range ends {
			for j, to := range ends {
				if i == j {
					continue
				}
				asked := make(map[policy.Port]bool)
				declared := false
				for _, c := range containers[live[j].Kind+" "+live[j].Name.String()] {
					for _, cp := range c.Ports {
						p := map[corev1.Protocol]policy.Protocol{"": policy.TCP, "TCP": policy.TCP, "UDP": policy.UDP, "SCTP": policy.SCTP}[cp.Protocol]
						asked[p.Port(uint16(cp.ContainerPort))], declared = true, true
					}
				}
				for _, p := range m.Policies {
					for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
						for _, r := range p.Half(d).Rules {
							for _, it := range r.Ports {
								if it.First > 0 && it.First == it.Last {
									asked[it.Protocol.Port(it.First)] = asked[it.Protocol.Port(it.First)] || false
								}
							}
						}
					}
				}
				for port, isDeclared := range asked {
					if declared && !isDeclared {
						continue
					}
					v := g.Explain(reach.Flow{From: from, To: to, Port: port})
					if v.Reason != reach.Policies {
						continue
					}
					for d, sides := range map[policy.Direction][2]reach.Side{policy.Egress: {v.Egress, v.Ingress}, policy.Ingress: {v.Ingress, v.Egress}} {
						for _, match := range sides[0].Allowing {
							rule := byName[match.Rule.Policy.String()].Half(d).Rules[match.Rule.Index]
							if !declared && !slices.ContainsFunc(rule.Ports, func(it policy.PortItem) bool {
								return it.Protocol == port.Protocol && it.First == port.Number && it.Last == port.Number
							}) {
								continue
							}
							kind := (map[string]*tally)(nil)
							for _, n := range match.Peers {
								p, ok := rule.Peers[n].(policy.Pods)
								switch {
								case !ok:
								case !p.Pods.IsEverything():
									kind = named
								case kind == nil && (p.Namespace != "" || !p.Namespaces.IsEverything()):
									kind = wide
								}
							}
							if kind == nil {
								continue
							}
							key := fmt.Sprintf("%v spec.%v[%d]", match.Rule.Policy, d, match.Rule.Index)
							if kind[key] == nil {
								kind[key] = new(tally)
							}
							kind[key].wanted++
							if !v.Allowed {
								kind[key].denied++
							}
						}
					}
				}
			}
		}
		want := []string{}
		all := make(map[string]tally)
		for key, n := range named {
			all[key] = *n
		}
		for key, n := range wide {
			if n.denied == n.wanted {
				all[key] = tally{all[key].wanted + n.wanted, all[key].denied + n.denied}
			}
		}
		for key, n := range all {
			if n.denied > 0 {
				want = append(want, fmt.Sprintf("%s: %d of %d", key, n.denied, n.wanted))
			}
		}
		findings, err := audit.Run(g, checksOf("half-open")...)
		require.NoError(t, err)
		got := []string{}
		for _, f := range findings {
			_, numbers, _ := strings.Cut(f.Message, "denies: ")
			numbers, _, _ = strings.Cut(numbers, ",")
			got = append(got, fmt.Sprintf("%v %s: %s", f.Name, f.Place.Field, numbers))
			assert.False(t, g.Allows(f.Proof.Flow))
		}
		assert.ElementsMatch(t, want, got)
		reported += len(got)
	})
	t.Log(reported)
}

// A choice of plugins is reported exactly if it turns an answer, with a flow of which
// it turns the answer.
func TestPropertyPlugins(t *testing.T) {
	if raceDetector {
		t.Skip("it shares nothing between goroutines")
	}
	choices := map[string][]reach.Profile{
		"plugin-block-pods":         {{IPBlockSkipsPods: true}},
		"plugin-block-nodes":        {{IPBlockSkipsNodes: true}},
		"plugin-host-network":       {{HostNetworkAsPods: true}},
		"plugin-own-node":           {{EgressToOwnNodeAllowed: true}},
		"plugin-end-port":           {{EndPortIgnored: true}},
		"plugin-sctp":               {{SCTP: reach.SCTPDropped}, {SCTP: reach.SCTPBypasses}},
		"plugin-port-names":         {{NamedPorts: reach.NamedPortsOfContainers}, {NamedPorts: reach.NamedPortsOfAllContainers}},
		"plugin-repeated-port-name": {{NamedPortFirst: true}},
	}
	reported := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 3, MaxPods: 4}
		c := gen.Clusters().Draw(t, "cluster")
		g, err := gen.Profiles().Draw(t, "profile").Compile(c)
		require.NoError(t, err)
		base, err := reach.Compile(c)
		require.NoError(t, err)
		findings, err := audit.Run(g, checksOf("plugin")...)
		require.NoError(t, err)
		w := worldOf(t, c, reach.Profile{})
		before := w.answers(t, c, reach.Profile{})
		found := make(map[string]bool)
		for _, f := range findings {
			profiles := choices[f.Check]
			if f.Check == "plugin-together" {
				profiles = []reach.Profile{reach.Cilium()}
			}
			found[f.Check] = true
			reported[f.Check]++
			assert.True(t, slices.ContainsFunc(profiles, func(p reach.Profile) bool {
				h, err := p.Compile(c)
				require.NoError(t, err)
				return base.Allows(moved(t, f.Proof.Flow, base)) != h.Allows(moved(t, f.Proof.Flow, h))
			}), "%v: %v", f, f.Proof)
		}
		for check, profiles := range choices {
			differs := false
			for _, p := range profiles {
				differs = differs || w.answers(t, c, p) != before
			}
			if check == "plugin-sctp" && !found[check] {
				continue // nobody asks for it
			}
			assert.Equal(t, differs, found[check], check)
		}
	})
	t.Log(reported)
}

// moved returns a flow as one of another Graph of the same cluster.
func moved(t require.TestingT, f reach.Flow, g *reach.Graph) reach.Flow {
	end := func(e reach.Endpoint) reach.Endpoint {
		if e.Name().Name == "" {
			there, err := g.Addr(e.Addrs().First())
			require.NoError(t, err)
			return there
		}
		there, err := g.Lookup(e.String())
		require.NoError(t, err)
		return there
	}
	f.From, f.To = end(f.From), end(f.To)
	return f
}

// The order of objects is of no importance, and a Graph that edits have made is as good
// as one that has been compiled.
func TestPropertyOrder(t *testing.T) {
	if raceDetector {
		t.Skip("it shares nothing between goroutines")
	}
	rapid.Check(t, func(t *rapid.T) {
		gen := reachtest.Gen{MaxPolicies: 5, MaxServices: 2}
		c := gen.Clusters().Draw(t, "cluster")
		profile := gen.Profiles().Draw(t, "profile")
		g, err := profile.Compile(c)
		require.NoError(t, err)
		want := told(t, g)

		d := c.Clone()
		shuffle(t, d.Namespaces)
		shuffle(t, d.Nodes)
		shuffle(t, d.Pods)
		shuffle(t, d.Deployments)
		shuffle(t, d.StatefulSets)
		shuffle(t, d.Services)
		shuffle(t, d.Policies)
		h, err := profile.Compile(d)
		require.NoError(t, err)
		assert.Equal(t, want, told(t, h))

		edits := gen.Edits(c, 2).Draw(t, "edits")
		edited, err := g.With(edits...)
		require.NoError(t, err)
		afresh, err := profile.Compile(edited.Cluster())
		require.NoError(t, err)
		assert.Equal(t, told(t, afresh), told(t, edited))
		assert.Equal(t, want, told(t, g), "the Graph stays as it is")
	})
}

func shuffle[T any](t *rapid.T, list []T) {
	copy(list, rapid.Permutation(list).Draw(t, "order"))
}

// told returns all that there is to say of a cluster.
func told(t require.TestingT, g *reach.Graph) string {
	findings, err := audit.Run(g)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, audit.Text(&b, findings))
	require.NoError(t, audit.JSON(&b, findings))
	require.NoError(t, audit.SARIF(&b, findings))
	return b.String()
}
