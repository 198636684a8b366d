package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
	sigsyaml "sigs.k8s.io/yaml"
)

func parse(t testing.TB, text string) *Cluster {
	t.Helper()
	c, err := Parse("f.yaml", strings.NewReader(text))
	require.NoError(t, err)
	return c
}

func TestParseAccepts(t *testing.T) {
	port := func(port intstr.IntOrString) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				Ports: []networkingv1.NetworkPolicyPort{{Port: &port}},
			}},
		}
	}
	selects := func(labels map[string]string) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: labels}}
	}
	for _, tt := range []struct {
		name string
		why  string
		spec string // of a policy
		want networkingv1.NetworkPolicySpec
	}{
		{"no spec", "SEM-007: absent and null are the same", "", networkingv1.NetworkPolicySpec{}},
		{"number", "a port without quotes is a number", "  ingress: [{ports: [{port: 80}]}]", port(intstr.FromInt32(80))},
		{"name", "a port in quotes is a name", `  ingress: [{ports: [{port: "http"}]}]`, port(intstr.FromString("http"))},
		{"plain name", "text needs no quotes if nothing else looks like it", "  ingress: [{ports: [{port: web}]}]", port(intstr.FromString("web"))},
		{"hexadecimal", "SEM-316", "  ingress: [{ports: [{port: 0x50}]}]", port(intstr.FromInt32(80))},
		{"octal", "SEM-316: a zero in front makes it octal in YAML 1.1", "  ingress: [{ports: [{port: 0120}]}]", port(intstr.FromInt32(80))},
		{"not octal", "SEM-316: 8 is no digit of an octal number", "  ingress: [{ports: [{port: 080}]}]", port(intstr.FromInt32(80))},
		{"underscore", "SEM-316", "  ingress: [{ports: [{port: 8_0}]}]", port(intstr.FromInt32(80))},
		{"exponent", "it is a whole number all the same", "  ingress: [{ports: [{port: 8e1}]}]", port(intstr.FromInt32(80))},
		{"null label", "SEM-005 example 4: legal, and the empty text", "  podSelector: {matchLabels: {a: ~}}", selects(map[string]string{"a": ""})},
		{"quoted", "quotes make text of anything", `  podSelector: {matchLabels: {a: "on", b: '1', c: "null"}}`, selects(map[string]string{"a": "on", "b": "1", "c": "null"})},
		{"tagged", "a tag does as well", "  podSelector: {matchLabels: {a: !!str 1}}", selects(map[string]string{"a": "1"})},
		{"odd keys", "keys of any type become text, on like true", "  podSelector: {matchLabels: {1: a, on: b}}", selects(map[string]string{"1": "a", "true": "b"})},
		{"block text", "a folded text ends without its newline", "  podSelector:\n    matchLabels:\n      a: >-\n        b", selects(map[string]string{"a": "b"})},
		{"escape", "double quotes know escapes", `  podSelector: {matchLabels: {a: "\u0062"}}`, selects(map[string]string{"a": "b"})},
		{"merge", "<< brings in what an anchor holds",
			"  ingress:\n  - ports:\n    - &a {port: 80}\n    - {<<: *a, endPort: 90}",
			networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{
				{Port: new(intstr.FromInt32(80))},
				{Port: new(intstr.FromInt32(80)), EndPort: new(int32(90))},
			}}}},
		},
		{"empty list", "kept apart from an absent one, as every decoder of JSON does",
			"  ingress: []", networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{}}},
		{"null list", "SEM-007", "  ingress: null", networkingv1.NetworkPolicySpec{}},
		{"null rule", "SEM-006", "  ingress: [null]", networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}},
		{"null port", "SEM-006", "  ingress:\n  - ports:\n    -", networkingv1.NetworkPolicySpec{
			Ingress: []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{{}}}}}},
		{"null selector of a peer", "SEM-007: not set, unlike an empty one",
			"  ingress: [{from: [{podSelector: null, namespaceSelector: {}}]}]",
			networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := parse(t, policyHead+tt.spec+"\n")
			want := &networkingv1.NetworkPolicy{
				TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
				ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "x"},
				Spec:       tt.want,
			}
			assert.Equal(t, []*networkingv1.NetworkPolicy{want}, c.Policies, tt.why)
		})
	}
}

// Whatever YAML a policy is written in, it has one meaning.
func TestParseForms(t *testing.T) {
	want := parse(t, policyHead+"  podSelector: {}\n")
	for _, tt := range []struct{ name, why, text string }{
		{"byte order mark", "editors of Windows begin files with it", "\ufeff" + policyHead + "  podSelector: {}\n"},
		{"line ends of Windows", "YAML takes them for line ends", strings.ReplaceAll(policyHead+"  podSelector: {}\n", "\n", "\r\n")},
		{"no line end at the end", "many editors leave it out", policyHead + "  podSelector: {}"},
		{"markers all around", "empty documents are nothing", "---\n---\n# x\n--- # y\n" + policyHead + "  podSelector: {}\n...\n---\n~\n---\n"},
		{"directive", "it belongs to the document behind it", "%YAML 1.1\n---\n" + policyHead + "  podSelector: {}\n"},
		{"braces", "flow style is YAML", "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: x}, spec: {podSelector: {}}}"},
		{"braces behind the marker", "a document may begin there", "--- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,\n metadata: {name: p, namespace: x}, spec: {podSelector: {}}}"},
		{"indented", "a block may begin anywhere", "  " + strings.ReplaceAll(strings.TrimSpace(policyHead), "\n", "\n  ") + "\n    podSelector: {}\n"},
		{"JSON", "YAML contains it", `{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "x"}, "spec": {"podSelector": {}}}`},
		{"JSON with tabs", "JSON may be indented with tabs", "{\"apiVersion\": \"networking.k8s.io/v1\",\n\t\"kind\": \"NetworkPolicy\",\n\t\"metadata\": {\"name\": \"p\", \"namespace\": \"x\"}, \"spec\": {\"podSelector\": {}}}"},
		{"List of kubectl", "what kubectl get -o yaml prints", "apiVersion: v1\nitems:\n- apiVersion: networking.k8s.io/v1\n  kind: NetworkPolicy\n  metadata: {name: p, namespace: x}\n  spec: {podSelector: {}}\nkind: List\nmetadata: {resourceVersion: \"\"}\n"},
		{"typed list", "its items need not repeat their kind", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitems:\n- metadata: {name: p, namespace: x}\n  spec: {podSelector: {}}\n"},
		{"list in a list", "legal, if unusual", "{apiVersion: v1, kind: List, items: [{apiVersion: networking.k8s.io/v1, kind: NetworkPolicyList, items: [{metadata: {name: p, namespace: x}, spec: {podSelector: {}}}]}]}"},
		{"empty lists beside", "kubectl prints them", "apiVersion: v1\nkind: List\nitems: []\n---\napiVersion: v1\nkind: PodList\n---\n" + policyHead + "  podSelector: {}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := parse(t, tt.text)
			assert.Equal(t, want.Policies, c.Policies, tt.why)
			assert.Empty(t, c.Skipped)
			assert.Empty(t, c.Warnings)
		})
	}
}

func TestParseNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "---\n...\n", "~", "null\n---\n{}\n"[:5], "\ufeff"} {
		c := parse(t, text)
		assert.Equal(t, &Cluster{}, c, "%q", text)
	}
}

func TestParseWarns(t *testing.T) {
	for _, tt := range []struct {
		name string
		why  string
		load Loader
		text string
		want []string
	}{
		{
			name: "nothing to warn of",
			why:  "fields that are not read are known all the same",
			text: podHead + "spec:\n  containers:\n  - {name: c, image: i, resources: {limits: {cpu: 1}}, ports: [{containerPort: 80}]}\nstatus: {qosClass: Burstable}\n",
		}, {
			name: "unknown field of a pod",
			why:  "a misspelled label changes what selectors pick",
			text: "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: x\n  lables: {a: b}\n",
			want: []string{`unknown-field f.yaml:6: Pod x/a: metadata.lables: unknown field "lables" (did you mean "labels"?)`},
		}, {
			name: "unknown fields at all levels",
			why:  "wherever something is read, the names beside it count",
			text: podHead + "spec:\n  hostnetwork: true\n  containers:\n  - name: c\n    prots: []\nstats: {}\n",
			want: []string{
				`unknown-field f.yaml:5: Pod x/a: spec.hostnetwork: unknown field "hostnetwork" (did you mean "hostNetwork"?)`,
				`unknown-field f.yaml:8: Pod x/a: spec.containers[0].prots: unknown field "prots" (did you mean "ports"?)`,
				`unknown-field f.yaml:9: Pod x/a: stats: unknown field "stats" (did you mean "status"?)`,
			},
		}, {
			name: "unknown field of what is not looked into",
			why:  "it has no bearing",
			text: podHead + "spec:\n  securityContext: {foo: 1}\n  volumes: none\n",
		}, {
			name: "status of a policy",
			why:  "SEM-013: exports of Kubernetes 1.26 have it",
			text: policyHead + "  podSelector: {}\nstatus:\n  conditions: []\n",
			want: []string{"status-ignored f.yaml:6: NetworkPolicy x/p: status: a NetworkPolicy has no status any more, and what is here has no effect"},
		}, {
			name: "null elements",
			why:  "SEM-006: they allow everything",
			text: policyHead + "  ingress:\n  -\n  - ports: [null]\n  egress: [~]\n",
			want: []string{
				"null-element f.yaml:6: NetworkPolicy x/p: spec.ingress[0]: null is an empty element here: it means the same as {}",
				"null-element f.yaml:7: NetworkPolicy x/p: spec.ingress[1].ports[0]: null is an empty element here: it means the same as {}",
				"null-element f.yaml:8: NetworkPolicy x/p: spec.egress[0]: null is an empty element here: it means the same as {}",
			},
		}, {
			name: "odd numbers",
			why:  "SEM-316: few people know what YAML makes of them",
			text: policyHead + "  ingress:\n  - ports:\n    - port: 0x50\n    - port: 0120\n    - port: 080\n    - {port: 8_0, endPort: 90.0}\n    - {port: 8e1}\n    - {port: +80}\n    - {port: 80}\n",
			want: []string{
				"odd-number f.yaml:7: NetworkPolicy x/p: spec.ingress[0].ports[0].port: 0x50 is read as 80",
				"odd-number f.yaml:8: NetworkPolicy x/p: spec.ingress[0].ports[1].port: 0120 is read as 80",
				"odd-number f.yaml:9: NetworkPolicy x/p: spec.ingress[0].ports[2].port: 080 is read as 80",
				"odd-number f.yaml:10: NetworkPolicy x/p: spec.ingress[0].ports[3].endPort: 90.0 is read as 90",
				"odd-number f.yaml:10: NetworkPolicy x/p: spec.ingress[0].ports[3].port: 8_0 is read as 80",
				"odd-number f.yaml:11: NetworkPolicy x/p: spec.ingress[0].ports[4].port: 8e1 is read as 80",
				"odd-number f.yaml:12: NetworkPolicy x/p: spec.ingress[0].ports[5].port: +80 is read as 80",
			},
		}, {
			name: "accepted kinds",
			why:  "each object could have changed the answers",
			load: Loader{Accept: []string{"CiliumNetworkPolicy.cilium.io", "NetworkPolicy.crd.projectcalico.org"}},
			text: "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: x}\n---\napiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicyList\nitems:\n- metadata: {name: d}\n",
			want: []string{
				"accepted-kind f.yaml:2: CiliumNetworkPolicy x/c: kind: left out of the answers, although a CiliumNetworkPolicy changes what can reach what",
				"accepted-kind f.yaml:8: NetworkPolicy default/d: kind: left out of the answers, although a NetworkPolicy changes what can reach what",
			},
		}, {
			name: "in source order",
			why:  "as a reader goes through the file",
			text: podHead + "x: 1\n---\n" + policyHead + "  ingress:\n  -\nstatus: {}\n---\n" + podHead + "z: 1\n",
			want: []string{
				`unknown-field f.yaml:4: Pod x/a: x: unknown field "x"`,
				"null-element f.yaml:11: NetworkPolicy x/p: spec.ingress[0]: null is an empty element here: it means the same as {}",
				"status-ignored f.yaml:12: NetworkPolicy x/p: status: a NetworkPolicy has no status any more, and what is here has no effect",
				`unknown-field f.yaml:17: Pod x/a: z: unknown field "z"`,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tt.load.Parse("f.yaml", strings.NewReader(tt.text))
			require.NoError(t, err)
			var got []string
			for _, w := range c.Warnings {
				got = append(got, w.Code+" "+w.String())
			}
			assert.Equal(t, tt.want, got, tt.why)
		})
	}
}

func TestParseSkips(t *testing.T) {
	for _, tt := range []struct {
		name, why, text string
		want            map[string]int
	}{
		{"kinds without bearing", "counted by kind and group",
			"apiVersion: v1\nkind: ConfigMap\n---\napiVersion: v1\nkind: ConfigMap\n---\napiVersion: cert-manager.io/v1\nkind: Certificate\n",
			map[string]int{"ConfigMap": 2, "Certificate.cert-manager.io": 1}},
		{"items of lists", "each is counted, not the list",
			"apiVersion: v1\nkind: SecretList\nitems: [{}, {}]\n---\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret}]\n",
			map[string]int{"Secret": 3}},
		{"name that ends in List", "without items it is no list",
			"apiVersion: example.org/v1\nkind: AllowList\nspec: {}\n",
			map[string]int{"AllowList.example.org": 1}},
		{"neighbors of NetworkPolicy", "known, and without bearing on pods",
			"apiVersion: networking.k8s.io/v1\nkind: IPAddress\n---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\n",
			map[string]int{"IPAddress.networking.k8s.io": 1, "IngressClass.networking.k8s.io": 1}},
		{"names like ours elsewhere", "groups outside of Kubernetes name their kinds as they like",
			"apiVersion: serving.knative.dev/v1\nkind: Service\n---\napiVersion: batch.volcano.sh/v1alpha1\nkind: Job\n---\napiVersion: config.openshift.io/v1\nkind: Ingress\n---\napiVersion: cluster.x-k8s.io/v1\nkind: Deployments\n",
			map[string]int{"Service.serving.knative.dev": 1, "Job.batch.volcano.sh": 1, "Ingress.config.openshift.io": 1, "Deployments.cluster.x-k8s.io": 1}},
		{"neighbors of ours", "real kinds of Kubernetes are not taken for misspellings",
			"apiVersion: v1\nkind: Event\n---\napiVersion: apps/v1\nkind: ControllerRevision\n---\napiVersion: storage.k8s.io/v1\nkind: CSINode\n---\napiVersion: metrics.k8s.io/v1beta1\nkind: PodMetrics\n---\napiVersion: v1\nkind: PodTemplate\n---\napiVersion: apiregistration.k8s.io/v1\nkind: APIService\n---\napiVersion: v1\nkind: ServiceAccount\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\n",
			map[string]int{"Event": 1, "ControllerRevision.apps": 1, "CSINode.storage.k8s.io": 1, "PodMetrics.metrics.k8s.io": 1,
				"PodTemplate": 1, "APIService.apiregistration.k8s.io": 1, "ServiceAccount": 1, "PodDisruptionBudget.policy": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := parse(t, tt.text)
			assert.Equal(t, tt.want, c.Skipped, tt.why)
		})
	}
}

func TestLoaderNamespace(t *testing.T) {
	text := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n" + podHead + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: y2, namespace: z}\n"
	c, err := Loader{Namespace: "team"}.Parse("f.yaml", strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, "team", c.Pods[0].Namespace, "SEM-011: that of the request")
	assert.Equal(t, "x", c.Pods[1].Namespace, "its own")
	assert.Equal(t, "", c.Namespaces[0].Namespace, "a namespace is in none")
	assert.Equal(t, "default", parse(t, text).Pods[0].Namespace, "SEM-011: without a choice")
}

func TestPlace(t *testing.T) {
	text := podHead + "---\n" + policyHead + `  podSelector:
    matchLabels:
      app.kubernetes.io/name: a
  ingress:
  - from:
    - podSelector: {}
    - ipBlock:
        cidr: 10.0.0.0/8
        except:
        - 10.1.0.0/16
        - 10.2.0.0/16
`
	inJSON := `{"apiVersion": "networking.k8s.io/v1",
"kind": "NetworkPolicy",
"metadata": {"name": "p", "namespace": "x"},
"spec": {
 "ingress": [
  {},
  {"from": [
   {"podSelector":
     {}}]}]}}`
	c := Join(parse(t, text), parse(t, inJSON))
	for _, tt := range []struct {
		name, field, why string
		obj              metav1.Object
		want             int
	}{
		{"object", "", "its first line", c.Policies[0], 5},
		{"field", "spec.podSelector", "where it is named, not where its value begins", c.Policies[0], 9},
		{"element", "spec.ingress[0].from[1]", "where it begins", c.Policies[0], 15},
		{"element of texts", "spec.ingress[0].from[1].ipBlock.except[1]", "where it begins", c.Policies[0], 19},
		{"key", "spec.podSelector.matchLabels[app.kubernetes.io/name]", "keys may hold dots", c.Policies[0], 11},
		{"absent field", "spec.ingress[0].from[0].podSelector.matchLabels", "the field around it", c.Policies[0], 14},
		{"absent list", "spec.egress[3].to[0]", "the field around it", c.Policies[0], 8},
		{"absent key", "spec.podSelector.matchLabels[x.y/z]", "the map around it", c.Policies[0], 10},
		{"nonsense", "]].[", "the object", c.Policies[0], 5},
		{"pod", "spec.containers[0]", "of a pod without warnings only the beginning is kept", c.Pods[0], 1},
		{"JSON object", "", "its first line", c.Policies[1], 1},
		{"JSON field", "spec.ingress[1].from[0].podSelector", "where it is named", c.Policies[1], 8},
		{"JSON element", "spec.ingress[0]", "where it begins", c.Policies[1], 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, Place{"f.yaml", tt.want, objectName(tt.obj), tt.field}, c.Place(tt.obj, tt.field), tt.why)
		})
	}
	stranger := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "b"}}
	assert.Equal(t, Place{Object: "Pod default/b", Field: "spec"}, c.Place(stranger, "spec"), "not read from a file")
	assert.Equal(t, Place{Object: "Pod default/b"}, (&Cluster{}).Place(stranger, ""), "a Cluster made by hand")
}

func TestJoin(t *testing.T) {
	a := parse(t, podHead+"x: 1\n---\napiVersion: v1\nkind: Secret\n")
	b := parse(t, policyHead+"---\napiVersion: v1\nkind: Secret\n---\n"+podHead)
	c := Join(a, nil, b)
	assert.Equal(t, []*corev1.Pod{a.Pods[0], b.Pods[0]}, c.Pods)
	assert.Equal(t, b.Policies, c.Policies)
	assert.Equal(t, map[string]int{"Secret": 2}, c.Skipped)
	assert.Equal(t, a.Warnings, c.Warnings)
	assert.Equal(t, b.Place(b.Pods[0], ""), c.Place(b.Pods[0], ""), "places go along")
	assert.Nil(t, c.Hosts)
	orders := []int{c.sources[a.Pods[0]].order, c.sources[b.Policies[0]].order, c.sources[b.Pods[0]].order}
	assert.Equal(t, []int{0, 1, 2}, orders, "in the order of the input")
	assert.Equal(t, []int{0, 1}, []int{b.sources[b.Policies[0]].order, b.sources[b.Pods[0]].order}, "the parts stay as they are")
	assert.Equal(t, &Cluster{}, Join())
}

// everything is a manifest with every kind that a Cluster holds.
const everything = `apiVersion: v1
kind: Namespace
metadata: {name: x, labels: {team: a}}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
spec: {podCIDR: 10.0.0.0/24}
status:
  addresses: [{type: InternalIP, address: 192.168.0.1}]
---
apiVersion: v1
kind: Pod
metadata:
  name: a
  namespace: x
  labels: {pod: a}
  annotations: {not: read}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u, controller: true, blockOwnerDeletion: true}]
spec:
  nodeName: n1
  hostNetwork: false
  containers:
  - name: c
    image: not-read
    ports: [{name: web, containerPort: 80, protocol: TCP}]
  initContainers:
  - {name: i, restartPolicy: Always, ports: [{containerPort: 81}]}
status:
  phase: Running
  podIP: 10.0.1.1
  podIPs: [{ip: 10.0.1.1}, {ip: "fd00::1"}]
  hostIP: 192.168.0.1
  hostIPs: [{ip: 192.168.0.1}]
  conditions: [{type: Ready, status: "True", reason: not-read}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: x}
spec: &spec
  template:
    metadata: {labels: {app: d}}
    spec: {containers: [{name: c, image: i, ports: [{name: web, containerPort: 80}]}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: r, namespace: x}
spec: {replicas: 1, template: {metadata: {labels: {app: r}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s, namespace: x}
spec: {serviceName: s, template: {metadata: {labels: {app: s}}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: d, namespace: x}
spec: {template: {metadata: {labels: {app: d}}, spec: {hostNetwork: true}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: x}
spec: {template: {metadata: {labels: {app: j}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: cj, namespace: x}
spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {metadata: {labels: {app: cj}}}}}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: rc, namespace: x}
spec: {template: {metadata: {labels: {app: rc}}}}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: x}
spec:
  type: LoadBalancer
  selector: {app: s}
  ports: [{name: web, port: 80, targetPort: web, nodePort: 30080}]
  clusterIP: 10.96.0.1
  clusterIPs: [10.96.0.1]
  externalIPs: [203.0.113.1]
  internalTrafficPolicy: Local
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 10}}
status: {loadBalancer: {ingress: [{ip: 203.0.113.2, ipMode: VIP}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s-1, namespace: x}
addressType: IPv4
endpoints:
- {addresses: [10.0.1.1], conditions: {ready: true}, nodeName: n1, targetRef: {kind: Pod, name: a, namespace: x, uid: u}, zone: z1}
ports: [{name: web, port: 80, protocol: TCP, appProtocol: http}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: s, namespace: x}
subsets:
- addresses: [{ip: 10.0.1.1, nodeName: n1, targetRef: {kind: Pod, name: a}}]
  notReadyAddresses: [{ip: 10.0.1.2, hostname: b}]
  ports: [{name: web, port: 80, protocol: TCP, appProtocol: http}]
---
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: kubernetes, namespace: gone}
spec: {cidrs: [10.96.0.0/12, "fd00:96::/112"]}
status: {conditions: []}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: x, annotations: {are: not}}
spec:
  ingressClassName: nginx
  defaultBackend: {resource: {apiGroup: example.com, kind: Bucket, name: b}}
  tls: [{hosts: [example.com]}]
  rules:
  - host: example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {name: web}}}}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.2}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: x, annotations: {is: read}, creationTimestamp: "2026-01-31T09:30:00Z"}
spec:
  podSelector: {matchExpressions: [{key: pod, operator: In, values: [a, b]}]}
  ingress: [{from: [{podSelector: {}}], ports: [{port: 80, protocol: TCP}]}]
---
apiVersion: v1
kind: ConfigMap
`

// What is read is what the API server would see, and nothing else is.
func TestParseReadsWhatIsPlanned(t *testing.T) {
	c := parse(t, everything)
	assert.Empty(t, c.Warnings)
	meta := func(apiVersion, kind, name string) (metav1.TypeMeta, metav1.ObjectMeta) {
		return metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}, metav1.ObjectMeta{Name: name, Namespace: "x"}
	}
	template := func(app string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}}}
	}

	pod := &corev1.Pod{}
	pod.TypeMeta, pod.ObjectMeta = meta("v1", "Pod", "a")
	pod.Labels = map[string]string{"pod": "a"}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "r", UID: "u", Controller: new(true)}}
	pod.Spec = corev1.PodSpec{
		NodeName:       "n1",
		Containers:     []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 80, Protocol: "TCP"}}}},
		InitContainers: []corev1.Container{{Name: "i", RestartPolicy: new(corev1.ContainerRestartPolicyAlways), Ports: []corev1.ContainerPort{{ContainerPort: 81}}}},
	}
	pod.Status = corev1.PodStatus{
		Phase:      "Running",
		PodIP:      "10.0.1.1",
		PodIPs:     []corev1.PodIP{{IP: "10.0.1.1"}, {IP: "fd00::1"}},
		HostIP:     "192.168.0.1",
		HostIPs:    []corev1.HostIP{{IP: "192.168.0.1"}},
		Conditions: []corev1.PodCondition{{Type: "Ready", Status: "True"}},
	}
	assert.Equal(t, []*corev1.Pod{pod}, c.Pods)

	node := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	node.Spec.PodCIDR = "10.0.0.0/24"
	node.Status.Addresses = []corev1.NodeAddress{{Type: "InternalIP", Address: "192.168.0.1"}}
	assert.Equal(t, []*corev1.Node{node}, c.Nodes)

	ns := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{"team": "a"}}}
	assert.Equal(t, []*corev1.Namespace{ns}, c.Namespaces)

	deployment := &appsv1.Deployment{}
	deployment.TypeMeta, deployment.ObjectMeta = meta("apps/v1", "Deployment", "d")
	deployment.Spec.Template = template("d")
	deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 80}}}}
	assert.Equal(t, []*appsv1.Deployment{deployment}, c.Deployments)

	replicaSet := &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Template: template("r")}}
	replicaSet.TypeMeta, replicaSet.ObjectMeta = meta("apps/v1", "ReplicaSet", "r")
	assert.Equal(t, []*appsv1.ReplicaSet{replicaSet}, c.ReplicaSets)

	statefulSet := &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Template: template("s")}}
	statefulSet.TypeMeta, statefulSet.ObjectMeta = meta("apps/v1", "StatefulSet", "s")
	assert.Equal(t, []*appsv1.StatefulSet{statefulSet}, c.StatefulSets)

	daemonSet := &appsv1.DaemonSet{Spec: appsv1.DaemonSetSpec{Template: template("d")}}
	daemonSet.TypeMeta, daemonSet.ObjectMeta = meta("apps/v1", "DaemonSet", "d")
	daemonSet.Spec.Template.Spec.HostNetwork = true
	assert.Equal(t, []*appsv1.DaemonSet{daemonSet}, c.DaemonSets)

	job := &batchv1.Job{Spec: batchv1.JobSpec{Template: template("j")}}
	job.TypeMeta, job.ObjectMeta = meta("batch/v1", "Job", "j")
	assert.Equal(t, []*batchv1.Job{job}, c.Jobs)

	cronJob := &batchv1.CronJob{}
	cronJob.TypeMeta, cronJob.ObjectMeta = meta("batch/v1", "CronJob", "cj")
	cronJob.Spec.JobTemplate.Spec.Template = template("cj")
	assert.Equal(t, []*batchv1.CronJob{cronJob}, c.CronJobs)

	rc := &corev1.ReplicationController{Spec: corev1.ReplicationControllerSpec{Template: new(template("rc"))}}
	rc.TypeMeta, rc.ObjectMeta = meta("v1", "ReplicationController", "rc")
	assert.Equal(t, []*corev1.ReplicationController{rc}, c.ReplicationControllers)

	service := &corev1.Service{}
	service.TypeMeta, service.ObjectMeta = meta("v1", "Service", "s")
	service.Spec = corev1.ServiceSpec{
		Type: "LoadBalancer", Selector: map[string]string{"app": "s"},
		Ports:     []corev1.ServicePort{{Name: "web", Port: 80, TargetPort: intstr.FromString("web"), NodePort: 30080}},
		ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1"}, ExternalIPs: []string{"203.0.113.1"},
		InternalTrafficPolicy: new(corev1.ServiceInternalTrafficPolicyLocal),
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.2", IPMode: new(corev1.LoadBalancerIPModeVIP)}}
	assert.Equal(t, []*corev1.Service{service}, c.Services)

	slice := &discoveryv1.EndpointSlice{AddressType: "IPv4"}
	slice.TypeMeta, slice.ObjectMeta = meta("discovery.k8s.io/v1", "EndpointSlice", "s-1")
	slice.Endpoints = []discoveryv1.Endpoint{{
		Addresses: []string{"10.0.1.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
		NodeName: new("n1"),
	}}
	slice.Ports = []discoveryv1.EndpointPort{{Name: new("web"), Port: new(int32(80)), Protocol: new(corev1.ProtocolTCP)}}
	assert.Equal(t, []*discoveryv1.EndpointSlice{slice}, c.EndpointSlices)

	eps := &endpoints{}
	eps.TypeMeta, eps.ObjectMeta = meta("v1", "Endpoints", "s")
	eps.Subsets = slices.Grow(eps.Subsets, 1)[:1]
	subset := &eps.Subsets[0]
	subset.Addresses = slices.Grow(subset.Addresses, 1)[:1]
	subset.Addresses[0].IP, subset.Addresses[0].NodeName = "10.0.1.1", new("n1")
	subset.NotReadyAddresses = slices.Grow(subset.NotReadyAddresses, 1)[:1]
	subset.NotReadyAddresses[0].IP = "10.0.1.2"
	subset.Ports = slices.Grow(subset.Ports, 1)[:1]
	subset.Ports[0].Name, subset.Ports[0].Port, subset.Ports[0].Protocol = "web", 80, corev1.ProtocolTCP
	assert.Equal(t, []*endpoints{eps}, c.Endpoints)

	cidrs := &networkingv1.ServiceCIDR{Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"10.96.0.0/12", "fd00:96::/112"}}}
	cidrs.TypeMeta, cidrs.ObjectMeta = meta("networking.k8s.io/v1", "ServiceCIDR", "kubernetes")
	cidrs.Namespace = ""
	assert.Equal(t, []*networkingv1.ServiceCIDR{cidrs}, c.ServiceCIDRs)

	ingress := &networkingv1.Ingress{}
	ingress.TypeMeta, ingress.ObjectMeta = meta("networking.k8s.io/v1", "Ingress", "i")
	ingress.Spec.DefaultBackend = &networkingv1.IngressBackend{Resource: &corev1.TypedLocalObjectReference{Kind: "Bucket", Name: "b"}}
	ingress.Spec.Rules = []networkingv1.IngressRule{{Host: "example.com"}}
	ingress.Spec.Rules[0].HTTP = &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
		Path: "/", PathType: new(networkingv1.PathTypePrefix),
		Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "s", Port: networkingv1.ServiceBackendPort{Name: "web"}}},
	}}}
	assert.Equal(t, []*networkingv1.Ingress{ingress}, c.Ingresses)

	np := &networkingv1.NetworkPolicy{}
	np.TypeMeta, np.ObjectMeta = meta("networking.k8s.io/v1", "NetworkPolicy", "p")
	np.Annotations = map[string]string{"is": "read"}
	np.CreationTimestamp = metav1.NewTime(time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC).Local())
	np.Spec = networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "pod", Operator: "In", Values: []string{"a", "b"}}}},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From:  []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}},
			Ports: []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromInt32(80)), Protocol: new(corev1.ProtocolTCP)}},
		}},
	}
	assert.Equal(t, []*networkingv1.NetworkPolicy{np}, c.Policies)
	assert.Equal(t, map[string]int{"ConfigMap": 1}, c.Skipped)
}

// objectsOf returns c without what depends on files.
func objectsOf(c *Cluster) Cluster {
	o := *c
	o.Warnings, o.sources = nil, nil
	return o
}

// Documents, lists and JSON say the same (SEM-008), in one file or in many.
func TestParseSameInAllForms(t *testing.T) {
	want := objectsOf(parse(t, everything))
	docs := strings.Split(everything, "\n---\n")
	asJSON := make([]json.RawMessage, len(docs))
	byKind := make(map[string][]json.RawMessage)
	for i, doc := range docs {
		j, err := sigsyaml.YAMLToJSON([]byte(doc))
		require.NoError(t, err)
		asJSON[i] = j
		var o map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(j, &o))
		kind := string(o["apiVersion"]) + string(o["kind"])
		delete(o, "apiVersion")
		delete(o, "kind")
		item, err := json.Marshal(o)
		require.NoError(t, err)
		byKind[kind] = append(byKind[kind], item)
	}
	list, err := json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "List", "items": asJSON}, "", "\t")
	require.NoError(t, err)
	listYAML, err := sigsyaml.JSONToYAML(list)
	require.NoError(t, err)
	var typed bytes.Buffer
	for kind, items := range byKind {
		apiVersion, name, _ := strings.Cut(strings.Trim(kind, `"`), `""`)
		j, err := json.Marshal(map[string]any{"apiVersion": apiVersion, "kind": name + "List", "items": items})
		require.NoError(t, err)
		typed.Write(j)
	}

	for name, files := range map[string]fstest.MapFS{
		"YAML list":   {"l.yaml": {Data: listYAML}},
		"JSON list":   {"l.json": {Data: list}},
		"JSON stream": {"s.json": {Data: bytes.Join(asBytes(asJSON), []byte("\n"))}},
		"typed lists": {"t.json": {Data: typed.Bytes()}},
		"JSON in YAML": {
			"l.yaml": {Data: bytes.Join(asBytes(asJSON), []byte("\n---\n"))},
		},
		"three files": {
			"1.yaml":     {Data: []byte(strings.Join(docs[:3], "\n---\n"))},
			"2.json":     {Data: bytes.Join(asBytes(asJSON[3:6]), nil)},
			"3/more.yml": {Data: []byte(strings.Join(docs[6:], "\n---\n"))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseFS(files)
			require.NoError(t, err)
			assert.Equal(t, want, objectsOf(c))
		})
	}
}

func asBytes(raw []json.RawMessage) [][]byte {
	all := make([][]byte, len(raw))
	for i := range raw {
		all[i] = raw[i]
	}
	return all
}

func configMap(name string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n")}
}

func namesOf(c *Cluster) []string {
	var names []string
	for _, ns := range c.Namespaces {
		names = append(names, ns.Name)
	}
	return names
}

func TestParseFS(t *testing.T) {
	fsys := fstest.MapFS{
		"b.yaml":                  configMap("b"),
		"a.yml":                   configMap("a"),
		"c.json":                  {Data: []byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "c"}}`)},
		"dir/d.yaml":              configMap("d"),
		"dir/deep/e.yaml":         configMap("e"),
		"dir-2/f.yaml":            configMap("f"),
		"dir/.hidden.yaml":        configMap("hidden"),
		".git/g.yaml":             configMap("hidden"),
		"dir/kustomization.yaml":  configMap("hidden"),
		"README.md":               {Data: []byte("# no manifest")},
		"manifest.txt":            configMap("txt"),
		"other/notes.txt":         {Data: []byte("nothing here")},
		"broken/1.yaml":           {Data: []byte("a: b: c")},
		"broken/2.yaml":           {Data: []byte("a: 1\nb: c: d")},
		"pipe/p.yaml":             {Mode: fs.ModeNamedPipe},
		"large/l.yaml":            {Data: bytes.Repeat([]byte("# x\n"), 1000)},
		"helm/templates/_x.yaml":  configMap("x"),
		"helm/templates/NOTES.md": {},
	}
	for _, tt := range []struct {
		name  string
		why   string
		roots []string
		want  []string
	}{
		{"folder", "lexical order of the whole names, endings of manifests only", []string{"dir", "dir-2"}, []string{"f", "d", "e"}},
		{"files", "a root is read whatever its ending", []string{"manifest.txt", "b.yaml"}, []string{"b", "txt"}},
		{"order of roots", "it does not matter", []string{"b.yaml", "a.yml", "c.json"}, []string{"a", "b", "c"}},
		{"twice", "a file is read once", []string{"dir", "dir/d.yaml", "./dir/", "dir/../dir"}, []string{"d", "e"}},
		{"hidden root", "named by its name it is meant", []string{"dir/.hidden.yaml", "dir/kustomization.yaml"}, []string{"hidden", "hidden"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseFS(fsys, tt.roots...)
			require.NoError(t, err)
			assert.Equal(t, tt.want, namesOf(c), tt.why)
		})
	}
	t.Run("everything", func(t *testing.T) {
		c, err := ParseFS(fstest.MapFS{"a.yaml": configMap("a"), "x/b.yml": configMap("b")})
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "b"}, namesOf(c))
		assert.Equal(t, "x/b.yml", c.Place(c.Namespaces[1], "").File)
	})

	for _, tt := range []struct {
		name  string
		why   string
		load  Loader
		roots []string
		want  []string
	}{
		{"no such root", "a misspelled path must not be an empty cluster", Loader{}, []string{"dri"},
			[]string{"dri: file does not exist"}},
		{"no manifest", "most likely a misspelled path as well", Loader{}, []string{"other"},
			[]string{"other: no file in this folder ends in .yaml, .yml or .json"}},
		{"one of two roots", "the other does not hide it", Loader{}, []string{"dir", "other"},
			[]string{"other: no file in this folder ends in .yaml, .yml or .json"}},
		{"outside", "a tree of files has no outside", Loader{}, []string{"../x"},
			[]string{"../x: file does not exist"}},
		{"empty name", "an unset variable must not mean everything", Loader{}, []string{""},
			[]string{"file does not exist"}},
		{"all errors of all files", "in their order", Loader{}, []string{"broken", "dri"}, []string{
			"broken/1.yaml:1: not YAML: mapping values are not allowed in this context",
			"broken/2.yaml:2: not YAML: mapping values are not allowed in this context",
			"dri: file does not exist",
		}},
		{"pipe", "it might never end", Loader{}, []string{"pipe"}, []string{"pipe/p.yaml: not a regular file"}},
		{"large file", "refused by its size", Loader{MaxBytes: 3999}, []string{"large"}, []string{"large/l.yaml: more than 3999 bytes: see Loader.MaxBytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tt.load.ParseFS(fsys, tt.roots...)
			assert.Nil(t, c)
			var got []string
			for _, e := range errorsOf(t, err) {
				got = append(got, e.Error())
			}
			assert.Equal(t, tt.want, got, tt.why)
		})
	}
	t.Run("size is allowed", func(t *testing.T) {
		_, err := Loader{MaxBytes: 4000}.ParseFS(fsys, "large")
		assert.NoError(t, err)
	})
	t.Run("errors are those of the file system", func(t *testing.T) {
		_, err := ParseFS(fsys, "dri")
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestParseFSLinks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, ns string) {
		name = filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
		require.NoError(t, os.WriteFile(name, configMap(ns).Data, 0o666))
	}
	link := func(to, name string) {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, name)))
	}
	write("real/a.yaml", "a")
	write("far/b.yaml", "b")
	link("../far/b.yaml", "real/b.yaml")
	link("../far", "real/far")
	link("..", "real/loop")

	c, err := ParseFS(os.DirFS(dir), "real")
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, namesOf(c), "links to files are followed")
	var got []string
	for _, w := range c.Warnings {
		got = append(got, w.Code+" "+w.File)
	}
	assert.Equal(t, []string{"not-followed real/far", "not-followed real/loop"}, got, "links to folders are not, and that is said")

	c, err = ParseFS(os.DirFS(dir), "real/far")
	require.NoError(t, err)
	assert.Equal(t, []string{"b"}, namesOf(c), "a root that is a link is meant")

	link("nowhere.yaml", "real/gone.yaml")
	link("self.yaml", "real/self.yaml")
	_, err = ParseFS(os.DirFS(dir), "real")
	require.Len(t, errorsOf(t, err), 2)
	assert.ErrorContains(t, err, "real/gone.yaml: a link to nowhere")
	assert.ErrorContains(t, err, "real/self.yaml: a link to nowhere")
}

func TestParseReadError(t *testing.T) {
	broken := errors.New("the wire broke")
	_, err := Parse("f.yaml", io.MultiReader(strings.NewReader("kind: "), iotest.ErrReader(broken)))
	assert.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "f.yaml: ")
	assert.Len(t, errorsOf(t, err), 1)
}

// Of a thousand errors and more, the rest is only counted.
func TestParseManyErrors(t *testing.T) {
	_, err := Parse("f.yaml", strings.NewReader(strings.Repeat("kind: 1\napiVersion: v1\n---\n", 1234)))
	all := errorsOf(t, err)
	require.Len(t, all, 1001)
	assert.Equal(t, "f.yaml:1: kind: want text, have the number 1", all[0].Error())
	assert.Equal(t, "f.yaml:2998: kind: want text, have the number 1", all[999].Error())
	assert.Equal(t, "234 more errors", all[1000].Error())
}

// Input that is made to hurt is refused or read in bounded time and memory.
// That this test ends is most of what it checks.
func TestParseHostile(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	var merges strings.Builder
	merges.WriteString("a0: &a0 {k0: v}\n")
	for i := 1; i < 3000; i++ {
		fmt.Fprintf(&merges, "a%d: &a%d {<<: *a%d, k%d: v}\n", i, i, i-1, i)
	}
	large := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		name, why, file, text string
		says                  string // empty if it is read
	}{
		{"billion laughs", "lists of lists of aliases", "f.yaml", laughs.String(), "aliases repeat"},
		{"large text repeated", "few values, but each of a megabyte", "f.yaml",
			"a: &a " + large + "\nb: [" + strings.Repeat("*a, ", 10000) + "]\n", "aliases repeat"},
		{"chain of merges", "each repeats all before it", "f.yaml", merges.String(), "aliases repeat"},
		{"deep brackets", "a stack overflow would kill the program", "f.yaml", strings.Repeat("[", 1_000_000), "exceeded max depth"},
		{"deep blocks", "also without brackets", "f.yaml", strings.Repeat("- ", 1_000_000), "exceeded max depth"},
		{"deep JSON", "encoding/json has no limit for tokens", "f.json", strings.Repeat("[", 1_000_000), "nested deeper than 10000"},
		{"deep JSON objects", "the same for objects", "f.json", strings.Repeat(`{"a":`, 1_000_000), "nested deeper than 10000"},
		{"large text", "a value may be large", "f.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {a: " + large + "}\n", ""},
		{"large name of a field", "messages do not repeat all of it", "f.yaml", policyHead + "  ? " + large + "\n  : 1\n", "unknown field"},
		{"large kind", "messages do not repeat all of it", "f.yaml", "apiVersion: v1\nkind: " + large + "\n", "unknown kind"},
		{"many markers", "each ends a document", "f.yaml", strings.Repeat("---\n", 500_000), ""},
		{"many comments", "the parser that knows lines looks at them", "f.yaml", policyHead + strings.Repeat("# x\n  # y\n", 50_000), ""},
		{"many empty documents", "nothing is nothing", "f.yaml", strings.Repeat("--- ~\n", 20_000), ""},
		{"many repeated keys", "each is told, up to a thousand", "f.yaml", strings.Repeat("a: 1\n", 20_000), "already set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			_, err := Parse(tt.file, strings.NewReader(tt.text))
			if tt.says == "" {
				assert.NoError(t, err, tt.why)
			} else if assert.Error(t, err, tt.why) {
				assert.Contains(t, shorten(errorsOf(t, err)[0].Err.Error()), tt.says)
				assert.Less(t, len(errorsOf(t, err)[0].Error()), 1000)
			}
			assert.Less(t, time.Since(start), 20*time.Second, "far more than it takes, even on a slow machine")
		})
	}
}

// A Cluster is not changed by those who ask it.
func TestParseConcurrently(t *testing.T) {
	l := Loader{}
	done := make(chan *Cluster)
	for range 4 {
		go func() {
			c, _ := l.Parse("f.yaml", strings.NewReader(everything))
			done <- c
		}()
	}
	first := <-done
	for range 3 {
		assert.Equal(t, objectsOf(first), objectsOf(<-done))
	}
}

// In whatever order and in however many files documents come, the objects are
// the same.
func TestParseAnyOrder(t *testing.T) {
	docs := strings.Split(everything, "\n---\n")
	want := objectsOf(parse(t, everything))
	rapid.Check(t, func(t *rapid.T) {
		shuffled := rapid.Permutation(docs).Draw(t, "documents")
		cut := rapid.IntRange(0, len(docs)).Draw(t, "cut")
		c, err := ParseFS(fstest.MapFS{
			"1.yaml": {Data: []byte(strings.Join(shuffled[:cut], "\n---\n"))},
			"2.yaml": {Data: []byte(strings.Join(shuffled[cut:], "\n---\n"))},
		})
		require.NoError(t, err)
		assert.Equal(t, want, objectsOf(c))
	})
}

// The plans name fields that exist.
func TestPlansAreReal(t *testing.T) {
	types := make(typeTable)
	var walk func(at string, p fields, t reflect.Type)
	walk = func(at string, p fields, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		for name, within := range p {
			index, ok := types.of(typ).index[name]
			if assert.True(t, ok, "%s.%s", at, name) {
				walk(at+"."+name, within, typ.FieldByIndex(index).Type)
			}
		}
	}
	for _, k := range kinds {
		walk(k.name, k.reads, k.object)
	}
	assert.True(t, slices.IsSortedFunc(kinds, func(a, b kind) int {
		place := func(k kind) int {
			for i := range reflect.TypeFor[Cluster]().NumField() {
				if f := reflect.TypeFor[Cluster]().Field(i).Type; f.Kind() == reflect.Slice && f.Elem() == reflect.PointerTo(k.object) {
					return i
				}
			}
			panic(k.name)
		}
		return place(a) - place(b)
	}), "kinds are in the order of the fields of Cluster")
}

// The package reads what its callers give it, and nothing else.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, imp := range f.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			forbidden := path == "os" || path == "net" || strings.HasPrefix(path, "net/http") || strings.HasPrefix(path, "log")
			assert.False(t, forbidden, "%s imports %s", name, path)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	docs := strings.Split(everything, "\n---\n")
	podDoc, policyDoc := docs[2], docs[len(docs)-2]
	items := func(n int, sep string, doc func(i int) string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = doc(i)
		}
		return strings.Join(all, sep)
	}
	asJSON := func(doc string) string {
		j, err := sigsyaml.YAMLToJSON([]byte(doc))
		require.NoError(b, err)
		return string(j)
	}
	named := func(doc, name string, i int) string {
		return strings.Replace(doc, "name: "+name, fmt.Sprintf("name: %s-%d", name, i), 1)
	}
	const n = 1000
	for _, bb := range []struct{ name, file, text string }{
		{"yaml/pods=1000", "f.yaml", items(n, "\n---\n", func(i int) string { return named(podDoc, "a", i) })},
		{"yaml/policies=1000", "f.yaml", items(n, "\n---\n", func(i int) string { return named(policyDoc, "p", i) })},
		{"json/pods=1000", "f.json", items(n, "\n", func(i int) string { return asJSON(named(podDoc, "a", i)) })},
		{"json/policies=1000", "f.json", items(n, "\n", func(i int) string { return asJSON(named(policyDoc, "p", i)) })},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bb.file, strings.NewReader(bb.text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
