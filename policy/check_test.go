package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// check returns what inspect finds.
func check(obj metav1.Object, strictCIDR bool) ([]*Error, []Warning) {
	_, r := inspect(obj, strictCIDR)
	return r.errs, r.warnings
}

// objectOf returns an object x/o of the kind, with the other fields from YAML.
func objectOf(t testing.TB, kind, text string) metav1.Object {
	t.Helper()
	var obj metav1.Object
	switch kind {
	case "Namespace":
		obj = &corev1.Namespace{}
	case "Node":
		obj = &corev1.Node{}
	case "Pod":
		obj = &corev1.Pod{}
	case "Deployment":
		obj = &appsv1.Deployment{}
	case "ReplicaSet":
		obj = &appsv1.ReplicaSet{}
	case "StatefulSet":
		obj = &appsv1.StatefulSet{}
	case "DaemonSet":
		obj = &appsv1.DaemonSet{}
	case "Job":
		obj = &batchv1.Job{}
	case "CronJob":
		obj = &batchv1.CronJob{}
	case "ReplicationController":
		obj = &corev1.ReplicationController{}
	case "Service":
		obj = &corev1.Service{}
	case "EndpointSlice":
		obj = &discoveryv1.EndpointSlice{}
	case "Endpoints":
		obj = &endpoints{}
	case "ServiceCIDR":
		obj = &networkingv1.ServiceCIDR{}
	case "Ingress":
		obj = &networkingv1.Ingress{}
	case "NetworkPolicy":
		obj = &networkingv1.NetworkPolicy{}
	default:
		t.Fatalf("no kind %s", kind)
	}
	obj.SetName("o")
	if kind != "Namespace" && kind != "Node" && kind != "ServiceCIDR" {
		obj.SetNamespace("x")
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), obj), "the row is not YAML")
	return obj
}

func TestCheck(t *testing.T) {
	const (
		port0    = "spec.containers[0].ports[0]"
		port1    = "spec.containers[0].ports[1]"
		template = "{spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{ports: [{name: web, containerPort: 80}]}]}}}}"
	)
	ports := func(items string) string { return "spec: {containers: [{ports: [" + items + "]}]}" }
	hostPorts := func(items string) string {
		return "spec: {hostNetwork: true, containers: [{ports: [" + items + "]}]}"
	}
	tests := []struct {
		rule, kind string
		text       string
		want       []fault
		why        string
	}{
		// Metadata.
		{"SEM-232", "Namespace", `metadata: {name: a.b}`, []fault{{"metadata.name", invalid, "must not contain dots"}}, "a namespace is a DNS label"},
		{"SEM-336", "Namespace", `metadata: {labels: {"a b": c}}`, []fault{{"metadata.labels", invalid, `"a b"`}}, "labels are checked"},
		{"SEM-113", "Node", `metadata: {name: node-1.example.com, namespace: IGNORED}`, nil, "a node is in no namespace"},
		{"SEM-300", "Pod", `metadata: {name: Web}`, []fault{{"metadata.name", invalid, `"Web"`}}, "a DNS subdomain"},
		{"SEM-301", "Pod", `metadata: {namespace: Shop}`, []fault{{"metadata.namespace", invalid, `"Shop"`}}, "a DNS label"},
		{"SEM-337", "Pod", `metadata: {labels: {b: "y y", a: "x x"}}`, []fault{{"metadata.labels", invalid, `"x x"`}, {"metadata.labels", invalid, `"y y"`}}, "in key order"},
		{"SEM-012", "Pod", `metadata: {name: "", generateName: web-}`, nil, "the server makes the name"},
		{"SEM-300", "Service", `{metadata: {name: a.b}, spec: {ports: [{port: 80}]}}`, []fault{{"metadata.name", invalid, "must not contain dots"}}, "a DNS label"},
		{"SEM-300", "Endpoints", `metadata: {name: a.b}`, nil, "a DNS subdomain"},
		{"SEM-300", "Ingress", `{metadata: {name: A}, spec: {rules: [{host: a}]}}`, []fault{{"metadata.name", invalid, `"A"`}}, "a DNS subdomain"},
		{"SEM-269", "ServiceCIDR", `{metadata: {name: a.b, namespace: IGNORED}, spec: {cidrs: [10.96.0.0/12]}}`, nil, "in no namespace"},

		// Pods.
		{"SEM-338", "Pod", `{}`, nil, "what has no bearing is not looked at"},
		{"SEM-338", "Pod", ports(`{containerPort: 80}`), nil, "a name is not needed"},
		{"SEM-338", "Pod", ports(`{name: web}`), []fault{{port0 + ".containerPort", required, "needs a number"}}, "a number is"},
		{"SEM-338", "Pod", ports(`{containerPort: 65536}`), []fault{{port0 + ".containerPort", invalid, "between 1 and 65535"}}, "above the last port"},
		{"SEM-338", "Pod", ports(`{containerPort: -1}`), []fault{{port0 + ".containerPort", invalid, "between 1 and 65535"}}, "below the first port"},
		{"SEM-314", "Pod", ports(`{name: WEB, containerPort: 80}`), []fault{{port0 + ".name", invalid, "alpha-numeric"}, {port0 + ".name", invalid, "at least one letter"}}, "two rules are broken"},
		{"SEM-317", "Pod", ports(`{containerPort: 80, protocol: tcp}`), []fault{{port0 + ".protocol", notSupported, `"TCP"`}}, "upper case"},
		{"SEM-027", "Pod", ports(`{containerPort: 80, protocol: ""}`), nil, "TCP is the default"},
		{"SEM-177", "Pod", ports(`{name: web, containerPort: 8080}, {name: web, containerPort: 8081}`), []fault{{port1 + ".name", duplicate, `"web" is used twice`}}, "names are unique in a container"},
		{"SEM-177", "Pod", ports(`{name: dns, containerPort: 53}, {name: dns, containerPort: 53, protocol: UDP}`), []fault{{port1 + ".name", duplicate, `"dns"`}}, "whatever the protocol"},
		{"SEM-177", "Pod", ports(`{name: WEB1a, containerPort: 1}, {name: WEB1a, containerPort: 2}`), []fault{{port0 + ".name", invalid, "alpha-numeric"}, {port1 + ".name", invalid, "alpha-numeric"}}, "what is no name is not repeated"},
		{"SEM-338", "Pod", ports(`{name: WEB1a, hostPort: 65536, containerPort: 65536, protocol: X}`), []fault{{port0 + ".name", invalid, "alpha"}, {port0 + ".hostPort", invalid, "65535"}, {port0 + ".containerPort", invalid, "65535"}, {port0 + ".protocol", notSupported, "X"}}, "all errors, in the order of the fields"},
		{"SEM-338", "Pod", `spec: {initContainers: [{}, {ports: [{name: web}]}]}`, []fault{{"spec.initContainers[1].ports[0].containerPort", required, "number"}}, "init containers are checked"},
		{"SEM-339", "Pod", hostPorts(`{containerPort: 80, hostPort: 81}`), []fault{{port0 + ".hostPort", invalid, "must match containerPort"}}, "the pod has the ports of its node"},
		{"SEM-339", "Pod", hostPorts(`{containerPort: 80, hostPort: 80}`), nil, "they match"},
		{"SEM-029", "Pod", hostPorts(`{containerPort: 80}`), nil, "they match by default"},
		{"SEM-339", "Pod", ports(`{containerPort: 80, hostPort: 81}`), nil, "other pods may map ports"},
		{"SEM-339", "Pod", `spec: {hostNetwork: true, initContainers: [{ports: [{containerPort: 80, hostPort: 81}]}]}`, []fault{{"spec.initContainers[0].ports[0].hostPort", invalid, "must match containerPort"}}, "init containers alike"},
		{"SEM-222", "Pod", `status: {phase: Running}`, nil, "a phase"},
		{"SEM-222", "Pod", `status: {phase: running}`, []fault{{"status.phase", notSupported, `"Running"`}}, "phases begin in upper case"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}`, nil, "one of each family"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]}`, []fault{{"status.podIPs", invalid, "no more than one IP for each IP family"}}, "two of a family"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: 10.0.0.1}, {ip: "::ffff:10.0.0.2"}]}`, []fault{{"status.podIPs", invalid, "no more than one IP"}}, "IPv4-mapped is IPv4"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.1}]}`, []fault{{"status.podIPs[1]", duplicate, "twice"}, {"status.podIPs", invalid, "no more than one IP"}}, "the same twice"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: 10.0.0.1}, {ip: bad}]}`, []fault{{"status.podIPs[1]", invalid, `"bad": must be a valid IP address`}}, "not an address"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: ""}]}`, []fault{{"status.podIPs[0]", invalid, "valid IP address"}}, "an empty address"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: 10.0.0.0/8}]}`, []fault{{"status.podIPs[0]", invalid, "valid IP address"}}, "a block is no address"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: "fe80::1%eth0"}]}`, []fault{{"status.podIPs[0]", invalid, "valid IP address"}}, "a zone"},
		{"SEM-340", "Pod", `status: {podIPs: [{ip: 010.0.0.1}]}`, nil, "leading zeros, as old servers stored them"},
		{"SEM-340", "Pod", `status: {podIP: 10.0.0}`, []fault{{"status.podIP", invalid, "valid IP address"}}, "the single address is checked"},
		{"SEM-225", "Pod", `status: {podIP: 10.0.0, podIPs: [{ip: 10.0.0.1}]}`, nil, "if it counts"},
		{"SEM-340", "Pod", `status: {hostIPs: [{ip: 192.168.0.1}, {ip: x}]}`, []fault{{"status.hostIPs[1]", invalid, "valid IP address"}}, "addresses of nodes alike"},
		{"SEM-340", "Pod", `status: {hostIP: x}`, []fault{{"status.hostIP", invalid, "valid IP address"}}, "addresses of nodes alike"},

		// Nodes.
		{"SEM-269", "Node", `spec: {podCIDR: 10.0.1.0/24, podCIDRs: [10.0.1.0/24, "fd00:0:0:1::/64"]}`, nil, "one of each family"},
		{"SEM-269", "Node", `spec: {podCIDR: 10.0.1.0/24}`, nil, "the single block, as old clusters stored it"},
		{"SEM-269", "Node", `spec: {podCIDR: 10.0.1.0}`, []fault{{"spec.podCIDR", invalid, "valid CIDR"}}, "an address is no block"},
		{"SEM-269", "Node", `{spec: {podCIDRs: [10.0.1.0/24, x]}, status: {addresses: [{type: InternalIP, address: z}]}}`, []fault{{"spec.podCIDRs[1]", invalid, `"x"`}, {"status.addresses[0].address", invalid, `"z"`}}, "all errors, in the order of the fields"},
		{"SEM-269", "Node", `spec: {podCIDR: 10.0.2.0/24, podCIDRs: [10.0.1.0/24]}`, []fault{{"spec.podCIDR", invalid, `"10.0.2.0/24": must be "10.0.1.0/24"`}}, "the two contradict each other"},
		{"SEM-269", "Node", `spec: {podCIDRs: [10.0.1.0/24, 10.0.2.0/24]}`, []fault{{"spec.podCIDRs", invalid, "no more than one of each address family"}}, "two of a family"},
		{"SEM-113", "Node", `status: {addresses: [{type: InternalIP, address: bad}, {type: ExternalIP, address: worse}]}`, []fault{{"status.addresses[0].address", invalid, `"bad"`}, {"status.addresses[1].address", invalid, `"worse"`}}, "these types are IP addresses"},
		{"SEM-113", "Node", `status: {addresses: [{type: Hostname, address: n1}, {type: InternalDNS, address: ""}]}`, nil, "these types are not"},

		// Workloads.
		{"SEM-228", "Deployment", template, nil, "a template"},
		{"SEM-228", "StatefulSet", `spec: {template: {metadata: {labels: {"a b": c}}}}`, []fault{{"spec.template.metadata.labels", invalid, `"a b"`}}, "labels of the template are checked"},
		{"SEM-228", "DaemonSet", `spec: {template: {spec: {containers: [{ports: [{containerPort: 0}]}]}}}`, []fault{{"spec.template.spec.containers[0].ports[0].containerPort", required, "number"}}, "ports of the template are checked"},
		{"SEM-228", "ReplicaSet", `spec: {template: {spec: {hostNetwork: true, containers: [{ports: [{containerPort: 80, hostPort: 8080}]}]}}}`, []fault{{"spec.template.spec.containers[0].ports[0].hostPort", invalid, "must match"}}, "as in a pod"},
		{"SEM-228", "Job", `spec: {template: {metadata: {labels: {a: "b c"}}}}`, []fault{{"spec.template.metadata.labels", invalid, `"b c"`}}, "labels of the template are checked"},
		{"SEM-228", "CronJob", `spec: {jobTemplate: {spec: {template: {metadata: {labels: {a: "b c"}}}}}}`, []fault{{"spec.jobTemplate.spec.template.metadata.labels", invalid, `"b c"`}}, "the template is deeper"},
		{"SEM-228", "ReplicationController", `spec: {template: {metadata: {labels: {a: "b c"}}}}`, []fault{{"spec.template.metadata.labels", invalid, `"b c"`}}, "labels of the template are checked"},
		{"SEM-228", "ReplicationController", `{}`, []fault{{"spec.template", required, "pod template"}}, "a template is needed"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.kind+" "+tt.text, func(t *testing.T) {
			obj := objectOf(t, tt.kind, tt.text)
			errs, warnings := check(obj, false)
			checkFaults(t, tt.want, errs, tt.why)
			if len(tt.want) == 0 {
				assert.Empty(t, warnings)
			}
			for _, e := range errs {
				assert.Equal(t, objectName(obj), e.Object)
				assert.True(t, strings.HasPrefix(e.Object, tt.kind+" "))
			}
		})
	}
}

func TestCheckWarnsOfRepeatedPortNames(t *testing.T) {
	tests := []struct {
		rule, spec string
		want       []string
		why        string
	}{
		{"SEM-178", `{containers: [{ports: [{name: web, containerPort: 8080}]}, {ports: [{containerPort: 1}, {name: web, containerPort: 9090}]}]}`,
			[]string{`spec.containers[1].ports[1].name: repeated-port-name: "web" is 9090 here and 8080 at spec.containers[0].ports[0].name`}, "two numbers in two containers"},
		{"SEM-178", `{initContainers: [{restartPolicy: Always, ports: [{name: web, containerPort: 1}]}], containers: [{ports: [{name: web, containerPort: 2}]}]}`,
			[]string{`spec.initContainers[0].ports[0].name: repeated-port-name: "web" is 1 here and 2 at spec.containers[0]`}, "sidecars come after containers"},
		{"SEM-178", `{containers: [{ports: [{name: web, containerPort: 80}]}, {ports: [{name: web, containerPort: 80}]}]}`, nil, "the same number means the same"},
		{"SEM-176", `{containers: [{ports: [{name: dns, containerPort: 53, protocol: UDP}]}, {ports: [{name: dns, containerPort: 5353}]}]}`, nil, "protocols are apart"},
		{"SEM-027", `{containers: [{ports: [{name: dns, containerPort: 53, protocol: TCP}]}, {ports: [{name: dns, containerPort: 5353}]}]}`,
			[]string{`spec.containers[1].ports[0].name: repeated-port-name: "dns"`}, "TCP is the default"},
		{"SEM-179", `{initContainers: [{ports: [{name: web, containerPort: 1}]}], containers: [{ports: [{name: web, containerPort: 2}]}]}`, nil, "other init containers are gone by then"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.why, func(t *testing.T) {
			errs, warnings := check(objectOf(t, "Pod", "spec: "+tt.spec), false)
			assert.Empty(t, errs)
			checkWarnings(t, tt.want, warnings, tt.why)
		})
	}
}

func TestCheckPanicsOnOtherKinds(t *testing.T) {
	assert.PanicsWithValue(t, "policy: a Cluster holds no *v1.ConfigMap", func() { check(&corev1.ConfigMap{}, false) })
}

func TestParseAddr(t *testing.T) {
	tests := []struct{ in, want, why string }{
		{"10.0.0.1", "10.0.0.1", "IPv4"},
		{"fd00::1", "fd00::1", "IPv6"},
		{"FD00:0::0001", "fd00::1", "spelling is irrelevant"},
		{"010.0.0.01", "10.0.0.1", "leading zeros are decimal"},
		{"::ffff:10.0.0.1", "10.0.0.1", "IPv4-mapped is IPv4"},
		{"::ffff:a00:1", "10.0.0.1", "IPv4-mapped is IPv4, however it is written"},
		{"", "", "nothing"},
		{"10.0.0.1/32", "", "a block"},
		{"10.0.0.1:80", "", "a port"},
		{"[fd00::1]", "", "brackets"},
		{"fe80::1%eth0", "", "a zone"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, ok := parseAddr(tt.in)
			assert.Equal(t, tt.want != "", ok, tt.why)
			if ok {
				assert.Equal(t, tt.want, got.String(), tt.why)
			}
		})
	}
}
