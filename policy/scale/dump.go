package scale

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// asRunning returns a copy of a pod, the number'th of its cluster, with what a
// running cluster adds to it and what teams write that has no bearing here.
func asRunning(pod *corev1.Pod, number int) *corev1.Pod {
	pod = pod.DeepCopy()
	created := metav1.NewTime(time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC).Add(time.Duration(number%1_000_000) * 7 * time.Second))
	after := func(seconds int) metav1.Time {
		return metav1.NewTime(created.Add(time.Duration(seconds) * time.Second))
	}

	m := &pod.ObjectMeta
	m.CreationTimestamp = created
	m.ResourceVersion = strconv.Itoa(40_000_000 + number*37)
	if len(m.OwnerReferences) > 0 {
		m.GenerateName = m.OwnerReferences[0].Name + "-"
	}
	m.Annotations = map[string]string{
		"kubectl.kubernetes.io/restartedAt": created.Format(time.RFC3339),
		"prometheus.io/scrape":              "true",
		"checksum/config":                   fmt.Sprintf("%016x%016x%016x%016x", mix(forUID, number, 1), mix(forUID, number, 2), mix(forUID, number, 3), mix(forUID, number, 4)),
		"owner.example.com/contact":         "on-call: see \"runbooks\" > " + m.Namespace,
	}

	token := "kube-api-access-" + word(5, mix(forSuffix, number, 1))
	s := &pod.Spec
	for i := range s.Containers {
		contain(&s.Containers[i], token)
	}
	s.DNSPolicy = corev1.DNSClusterFirst
	s.EnableServiceLinks = new(true)
	s.PreemptionPolicy = new(corev1.PreemptLowerPriority)
	s.Priority = new(int32(0))
	s.RestartPolicy = corev1.RestartPolicyAlways
	s.SchedulerName = corev1.DefaultSchedulerName
	s.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(10001)), FSGroup: new(int64(10001))}
	s.ServiceAccountName, s.DeprecatedServiceAccount = "default", "default"
	s.TerminationGracePeriodSeconds = new(int64(30))
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		s.Tolerations = append(s.Tolerations, corev1.Toleration{
			Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300)),
		})
	}
	s.Volumes = []corev1.Volume{
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		tokenVolume(token),
	}

	st := &pod.Status
	st.QOSClass = corev1.PodQOSBurstable
	st.StartTime = new(created)
	st.Conditions = nil
	for i, c := range []corev1.PodConditionType{
		corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled,
	} {
		st.Conditions = append(st.Conditions, corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: after(i)})
	}
	for i := range s.Containers {
		c := &s.Containers[i]
		digest := fmt.Sprintf("%016x%016x%016x%016x", mix(forHash, number), mix(forHash, number, 1), mix(forHash, number, 2), mix(forHash, number, 3))
		st.ContainerStatuses = append(st.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: "registry.example.com/images@sha256:" + digest, ContainerID: "containerd://" + digest,
			Ready: true, Started: new(true), RestartCount: int32(number % 3),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: after(4)}},
		})
	}
	m.ManagedFields = managedFields(pod, after(5))
	return pod
}

// contain fills in a container.
func contain(c *corev1.Container, token string) {
	c.Command = []string{"/bin/sh", "-c"}
	c.Args = []string{"set -e\nmkdir -p /tmp/run\nexec /app/server --listen=:8080\n"}
	c.Env = []corev1.EnvVar{
		{Name: "LOG_LEVEL", Value: "info"},
		{Name: "DATABASE_URL", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "database"}, Key: "url",
		}}},
		{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"}}},
	}
	c.ImagePullPolicy = corev1.PullIfNotPresent
	c.TerminationMessagePath = corev1.TerminationMessagePathDefault
	c.TerminationMessagePolicy = corev1.TerminationMessageReadFile
	c.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi"), corev1.ResourceCPU: resource.MustParse("1")},
	}
	c.SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	c.ReadinessProbe = &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(8080), Scheme: corev1.URISchemeHTTP}},
		InitialDelaySeconds: 5, PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3,
	}
	c.VolumeMounts = []corev1.VolumeMount{
		{Name: "tmp", MountPath: "/tmp"},
		{Name: token, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true},
	}
}

// tokenVolume returns the volume that each pod gets to call the API server.
func tokenVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: new(int32(420)),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: new(int64(3607)), Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}},
			}}},
		},
	}}}
}

// managedFields returns who has written which fields of a pod.
func managedFields(pod *corev1.Pod, at metav1.Time) []metav1.ManagedFieldsEntry {
	meta := tree{
		"f:annotations":     children(slices.Collect(maps.Keys(pod.Annotations))),
		"f:generateName":    tree{},
		"f:labels":          children(slices.Collect(maps.Keys(pod.Labels))),
		"f:ownerReferences": tree{".": tree{}},
	}
	for _, o := range pod.OwnerReferences {
		meta["f:ownerReferences"][`k:{"uid":"`+string(o.UID)+`"}`] = tree{}
	}
	containers := tree{}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		fields := children([]string{
			"args", "command", "image", "imagePullPolicy", "name", "resources", "securityContext", "terminationMessagePath", "terminationMessagePolicy",
		})
		fields["f:resources"] = children([]string{"limits", "requests"})
		env, mounts, ports := children(nil), children(nil), children(nil)
		for _, v := range c.Env {
			env[`k:{"name":"`+v.Name+`"}`] = children([]string{"name", "value"})
		}
		for _, v := range c.VolumeMounts {
			mounts[`k:{"mountPath":"`+v.MountPath+`"}`] = children([]string{"mountPath", "name"})
		}
		for _, p := range c.Ports {
			ports[fmt.Sprintf(`k:{"containerPort":%d,"protocol":"%s"}`, p.ContainerPort, p.Protocol)] = children([]string{"containerPort", "name", "protocol"})
		}
		fields["f:env"], fields["f:volumeMounts"], fields["f:ports"] = env, mounts, ports
		containers[`k:{"name":"`+c.Name+`"}`] = fields
	}
	spec := children([]string{
		"dnsPolicy", "enableServiceLinks", "restartPolicy", "schedulerName", "securityContext", "terminationGracePeriodSeconds",
	})
	spec["f:containers"] = containers

	conditions, podIPs := children(nil), children(nil)
	for _, c := range pod.Status.Conditions {
		conditions[`k:{"type":"`+string(c.Type)+`"}`] = children([]string{"lastProbeTime", "lastTransitionTime", "status", "type"})
	}
	for _, ip := range pod.Status.PodIPs {
		podIPs[`k:{"ip":"`+ip.IP+`"}`] = children([]string{"ip"})
	}
	status := children([]string{"containerStatuses", "hostIP", "hostIPs", "phase", "podIP", "startTime"})
	status["f:conditions"], status["f:podIPs"] = conditions, podIPs

	entry := func(manager, subresource string, fields tree) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &at,
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields.String()), Subresource: subresource,
		}
	}
	return []metav1.ManagedFieldsEntry{
		entry("kube-controller-manager", "", tree{"f:metadata": meta, "f:spec": spec}),
		entry("kubelet", "status", tree{"f:status": status}),
	}
}

// A tree is a set of fields, as managedFields holds them.
type tree map[string]tree

// children returns the set of fields with these names, and of what they are in.
func children(names []string) tree {
	t := tree{".": tree{}}
	for _, name := range names {
		t["f:"+name] = tree{}
	}
	return t
}

// String returns t in JSON.
func (t tree) String() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(t); err != nil {
		panic(err) // there is nothing in a tree that JSON lacks
	}
	return b.String()
}
