package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	sigsyaml "sigs.k8s.io/yaml"
)

// A dump is a part of a cluster with n pods, the same each time.
type dump struct{ objects []any }

// manifestsOf returns objects as people write them: what is deployed, not what
// became of it.
func manifestsOf(n int) dump {
	var d dump
	for i := range n {
		if i%50 == 0 {
			d.objects = append(d.objects, namespaceAt(i/50), policyAt(i/50), serviceAt(i/50))
		}
		d.objects = append(d.objects, podAt(i))
	}
	return d
}

// kubectlDump returns what kubectl get pods prints: with managed fields, full
// status and a last applied configuration.
func kubectlDump(n int) dump {
	var d dump
	for i := range n {
		d.objects = append(d.objects, runningPodAt(i))
	}
	return d
}

// yaml returns the objects as documents of one stream.
func (d dump) yaml(t testing.TB) []byte {
	var b bytes.Buffer
	for i, o := range d.objects {
		if i > 0 {
			b.WriteString("---\n")
		}
		text, err := sigsyaml.Marshal(unstructured(t, o))
		require.NoError(t, err)
		b.Write(text)
	}
	return b.Bytes()
}

func (d dump) list(t testing.TB) any {
	items := make([]any, len(d.objects))
	for i, o := range d.objects {
		items[i] = unstructured(t, o)
	}
	return map[string]any{
		"apiVersion": "v1", "kind": "List", "items": items, "metadata": map[string]any{"resourceVersion": ""},
	}
}

// listYAML returns the objects in a List, as kubectl get -o yaml does.
func (d dump) listYAML(t testing.TB) []byte {
	text, err := sigsyaml.Marshal(d.list(t))
	require.NoError(t, err)
	return text
}

// listJSON returns the objects in a List, as kubectl get -o json does.
func (d dump) listJSON(t testing.TB) []byte {
	text, err := json.MarshalIndent(d.list(t), "", "    ")
	require.NoError(t, err)
	return append(text, '\n')
}

// unstructured returns o as kubectl handles it: without types, so that the
// names are sorted when it is printed.
func unstructured(t testing.TB, o any) any {
	text, err := json.Marshal(o)
	require.NoError(t, err)
	var u map[string]any
	require.NoError(t, json.Unmarshal(text, &u))
	if m, ok := u["metadata"].(map[string]any); ok && m["creationTimestamp"] == nil {
		delete(m, "creationTimestamp")
	}
	if s, ok := u["status"].(map[string]any); ok && len(s) == 0 {
		delete(u, "status")
	}
	return u
}

func namespaceAt(i int) *corev1.Namespace {
	name := fmt.Sprintf("team-%d", i)
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/metadata.name": name, "tier": "backend"}},
	}
}

func policyAt(i int) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: fmt.Sprintf("team-%d", i)},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "web"}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{
					{NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
						{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"backend", "frontend"}},
					}}},
					{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.1.0.0/16"}}},
				},
				Ports: []networkingv1.NetworkPolicyPort{{
					Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(8080)), EndPort: new(int32(8090)),
				}},
			}},
		},
	}
}

func serviceAt(i int) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: fmt.Sprintf("team-%d", i)},
		Spec: corev1.ServiceSpec{
			Selector:  map[string]string{"app.kubernetes.io/name": "web"},
			Ports:     []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http"), Protocol: corev1.ProtocolTCP}},
			ClusterIP: fmt.Sprintf("10.96.%d.%d", i/250, i%250+1),
		},
	}
}

func podAt(i int) *corev1.Pod {
	quantity := func(s string) resource.Quantity { return resource.MustParse(s) }
	env := func(name, val string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: val} }
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:      fmt.Sprintf("web-%08x-%05d", i/5*7919, i),
			Namespace: fmt.Sprintf("team-%d", i/50),
			Labels: map[string]string{
				"app.kubernetes.io/name": []string{"web", "db", "cache"}[i/10%3], "app.kubernetes.io/instance": fmt.Sprintf("app-%d", i/10),
				"pod-template-hash": fmt.Sprintf("%08x", i/5*7919), "tier": "backend",
			},
			Annotations: map[string]string{"checksum/config": fmt.Sprintf("%064x", i), "note": "rolled out by hand, see the runbook: it explains when, and by whom, this may be repeated"},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "web", NodeName: fmt.Sprintf("node-%d", i%97),
			Containers: []corev1.Container{{
				Name: "web", Image: "registry.example.com/team/web:1.27.3", Args: []string{"--listen=:8080", "--config", "/etc/web/config.yaml"},
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}, {Name: "metrics", ContainerPort: 9090}},
				Env:   []corev1.EnvVar{env("LOG_LEVEL", "info"), env("GOMAXPROCS", "2"), env("GREETING", "hello: world # not a comment")},
				Resources: corev1.ResourceRequirements{
					Limits:   corev1.ResourceList{"cpu": quantity("500m"), "memory": quantity("256Mi")},
					Requests: corev1.ResourceList{"cpu": quantity("100m"), "memory": quantity("128Mi")},
				},
				VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/web", ReadOnly: true}},
				ReadinessProbe: &corev1.Probe{
					ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(8080)}},
					PeriodSeconds: 10,
				},
			}},
			Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{
				ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "web"}},
			}}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, HostIP: fmt.Sprintf("192.168.0.%d", i%97+1),
			PodIP: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), PodIPs: []corev1.PodIP{{IP: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)}},
		},
	}
}

func runningPodAt(i int) *corev1.Pod {
	p := podAt(i)
	at := metav1.NewTime(time.Date(2026, 1, 31, 9, 30, i%60, 0, time.UTC))
	applied, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	p.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = string(applied) + "\n"
	p.UID = "3f2b7a52-5d1c-4a0e-9a53-000000000000"
	p.ResourceVersion, p.CreationTimestamp, p.GenerateName = "123456789", at, p.Name[:len(p.Name)-5]
	p.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: p.Name[:len(p.Name)-6], UID: "3f2b7a52-5d1c-4a0e-9a53-000000000001",
		Controller: new(true), BlockOwnerDeletion: new(true),
	}}
	managed := func(manager, subresource, fieldsV1 string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &at, Subresource: subresource,
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fieldsV1),
		}
	}
	p.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("kube-controller-manager", "", `{"f:metadata":{"f:annotations":{".":{},"f:checksum/config":{},"f:note":{}},"f:generateName":{},"f:labels":{".":{},"f:app.kubernetes.io/instance":{},"f:app.kubernetes.io/name":{},"f:pod-template-hash":{},"f:tier":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"3f2b7a52-5d1c-4a0e-9a53-000000000001\"}":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:args":{},"f:env":{".":{},"k:{\"name\":\"GOMAXPROCS\"}":{".":{},"f:name":{},"f:value":{}},"k:{\"name\":\"LOG_LEVEL\"}":{".":{},"f:name":{},"f:value":{}}},"f:image":{},"f:imagePullPolicy":{},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:resources":{".":{},"f:limits":{".":{},"f:cpu":{},"f:memory":{}}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{},"f:volumeMounts":{".":{},"k:{\"mountPath\":\"/etc/web\"}":{".":{},"f:mountPath":{},"f:name":{}}}}},"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:terminationGracePeriodSeconds":{}}}`),
		managed("kubelet", "status", `{"f:status":{"f:conditions":{"k:{\"type\":\"ContainersReady\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Initialized\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}},"f:containerStatuses":{},"f:hostIP":{},"f:hostIPs":{},"f:phase":{},"f:podIP":{},"f:podIPs":{".":{},"k:{\"ip\":\"10.0.0.1\"}":{".":{},"f:ip":{}}},"f:startTime":{}}}`),
	}
	c := &p.Spec.Containers[0]
	c.ImagePullPolicy, c.TerminationMessagePath, c.TerminationMessagePolicy = "IfNotPresent", "/dev/termination-log", "File"
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "kube-api-access", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true})
	p.Spec.RestartPolicy, p.Spec.DNSPolicy, p.Spec.SchedulerName = "Always", "ClusterFirst", "default-scheduler"
	p.Spec.TerminationGracePeriodSeconds, p.Spec.EnableServiceLinks = new(int64(30)), new(true)
	p.Spec.Tolerations = []corev1.Toleration{
		{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))},
		{Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))},
	}
	for _, typ := range []corev1.PodConditionType{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: typ, Status: "True", LastTransitionTime: at})
	}
	if i%10 == 0 {
		p.Status.Conditions[2].Status = "False"
		p.Status.Conditions[2].Message = "containers with unready status: [web], which is long enough to be folded into two lines"
	}
	p.Status.HostIPs = []corev1.HostIP{{IP: p.Status.HostIP}}
	p.Status.QOSClass, p.Status.StartTime = corev1.PodQOSBurstable, &at
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "web", Ready: true, Started: new(true), Image: c.Image, ImageID: "registry.example.com/team/web@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
		ContainerID: fmt.Sprintf("containerd://%064x", i), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}},
	}}
	return p
}
