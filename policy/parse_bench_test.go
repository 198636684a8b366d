package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// typed reads an object into its type of the API.
func typed(text []byte, unmarshal func([]byte, any) error) error {
	is := func(kind string) bool {
		return bytes.Contains(text, []byte("\nkind: "+kind+"\n")) || bytes.Contains(text, []byte(`"kind": "`+kind+`"`))
	}
	var obj any = new(corev1.Pod)
	switch {
	case is("NetworkPolicy"):
		obj = new(networkingv1.NetworkPolicy)
	case is("Namespace"):
		obj = new(corev1.Namespace)
	case is("Node"):
		obj = new(corev1.Node)
	case is("Service"):
		obj = new(corev1.Service)
	}
	return unmarshal(text, obj)
}

func strictYAML(text []byte, obj any) error { return yaml.UnmarshalStrict(text, obj) }

// typedYAML reads the documents of a stream into the types of the API.
func typedYAML(text []byte) error {
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		if err := typed(append([]byte("\n"), doc...), strictYAML); err != nil {
			return err
		}
	}
	return nil
}

// typedJSON reads the items of a list into the types of the API.
func typedJSON(text []byte) error {
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if err := typed(item, json.Unmarshal); err != nil {
			return err
		}
	}
	return nil
}

// Manifests as people write them, and what kubectl get pods prints, beside the
// libraries with which programs read these into the types of the API.
func BenchmarkParseDumps(b *testing.B) {
	for _, size := range []scale.Size{scale.S, scale.M} {
		c := size.Cluster()
		for _, form := range []struct {
			name, file string
			write      func(io.Writer, *policy.Cluster) error
			typed      func([]byte) error
		}{
			{"manifests.yaml", "f.yaml", scale.WriteYAML, typedYAML},
			{"manifests.json", "f.json", scale.WriteJSON, typedJSON},
			{"dump.yaml", "f.yaml", scale.DumpYAML, func(text []byte) error { return strictYAML(text, new(corev1.PodList)) }},
			{"dump.json", "f.json", scale.DumpJSON, func(text []byte) error { return json.Unmarshal(text, new(corev1.PodList)) }},
		} {
			var text bytes.Buffer
			require.NoError(b, form.write(&text, c))
			for _, way := range []struct {
				name string
				read func([]byte) error
			}{
				{"policy", func(text []byte) error { _, err := policy.Parse(form.file, bytes.NewReader(text)); return err }},
				{"typed", form.typed},
			} {
				b.Run(fmt.Sprintf("%s/pods=%d/%s", form.name, size.Pods, way.name), func(b *testing.B) {
					b.SetBytes(int64(text.Len()))
					b.ReportAllocs()
					for b.Loop() {
						require.NoError(b, way.read(text.Bytes()))
					}
				})
			}
		}
	}
}
