package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"pgregory.net/rapid"
)

// serverDecode decodes a NetworkPolicy as API servers do in strict mode. It is
// the oracle for our decoder.
func serverDecode(t testing.TB) func([]byte) (*networkingv1.NetworkPolicy, error) {
	scheme := runtime.NewScheme()
	require.NoError(t, networkingv1.AddToScheme(scheme))
	s := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme, serializer.SerializerOptions{Strict: true})
	return func(text []byte) (*networkingv1.NetworkPolicy, error) {
		var np networkingv1.NetworkPolicy
		_, _, err := s.Decode(text, nil, &np)
		return &np, err
	}
}

// ourDecode decodes a NetworkPolicy without checking more than its types.
func ourDecode(text []byte) (*networkingv1.NetworkPolicy, []finding) {
	v, err := newTreeReader(text).next()
	if err != nil {
		return nil, []finding{{text: err.Error()}}
	}
	dec := decoder{json: text, strict: true}
	var np networkingv1.NetworkPolicy
	dec.decode(v, reflect.ValueOf(&np).Elem(), shapeOf(make(typeTable), reflect.TypeOf(np), nil))
	for _, f := range dec.findings {
		if f.isError() {
			return nil, dec.findings
		}
	}
	return &np, nil
}

// A drawn policy is JSON that is mostly right.
type drawn = map[string]any

func drawLabels(t *rapid.T) any {
	return rapid.MapOf(rapid.SampledFrom([]string{"app", "tier", "x.y/z"}), rapid.SampledFrom([]string{"", "a", "b"})).Draw(t, "labels")
}

func drawSelector(t *rapid.T) any {
	s := drawn{}
	if rapid.Bool().Draw(t, "matchLabels") {
		s["matchLabels"] = drawLabels(t)
	}
	if rapid.Bool().Draw(t, "matchExpressions") {
		s["matchExpressions"] = []any{drawn{"key": "a", "operator": "In", "values": []any{"b", "c"}}}
	}
	return s
}

func drawRule(peers string) func(t *rapid.T) any {
	return func(t *rapid.T) any {
		peer := func(t *rapid.T) any {
			switch rapid.IntRange(0, 2).Draw(t, "peer") {
			case 0:
				return drawn{"podSelector": drawSelector(t)}
			case 1:
				return drawn{"namespaceSelector": drawSelector(t), "podSelector": drawSelector(t)}
			}
			return drawn{"ipBlock": drawn{"cidr": "10.0.0.0/8", "except": []any{"10.1.0.0/16"}}}
		}
		port := func(t *rapid.T) any {
			p := drawn{"port": rapid.SampledFrom([]any{80, 443, "web", 65535}).Draw(t, "port")}
			if rapid.Bool().Draw(t, "protocol") {
				p["protocol"] = "UDP"
			}
			if rapid.Bool().Draw(t, "endPort") {
				p["endPort"] = 9000
			}
			return p
		}
		return drawn{
			peers:   rapid.SliceOfN(rapid.Custom(peer), 0, 2).Draw(t, peers),
			"ports": rapid.SliceOfN(rapid.Custom(port), 0, 2).Draw(t, "ports"),
		}
	}
}

func drawPolicy(t *rapid.T) drawn {
	return drawn{
		"apiVersion": "networking.k8s.io/v1",
		"kind":       "NetworkPolicy",
		"metadata": drawn{
			"name": "p", "namespace": "x", "labels": drawLabels(t), "generation": 3,
			"creationTimestamp": "2026-01-31T09:30:00Z",
			"ownerReferences":   []any{drawn{"apiVersion": "v1", "kind": "X", "name": "n", "uid": "u", "controller": true}},
			"managedFields":     []any{drawn{"manager": "m", "time": "2026-01-31T09:30:00Z", "fieldsV1": drawn{"f:spec": drawn{}}}},
		},
		"spec": drawn{
			"podSelector": drawSelector(t),
			"policyTypes": rapid.SliceOfN(rapid.SampledFrom([]any{"Ingress", "Egress"}), 0, 2).Draw(t, "policyTypes"),
			"ingress":     rapid.SliceOfN(rapid.Custom(drawRule("from")), 0, 2).Draw(t, "ingress"),
			"egress":      rapid.SliceOfN(rapid.Custom(drawRule("to")), 0, 2).Draw(t, "egress"),
		},
	}
}

// placesIn returns a setter for every value inside of v.
func placesIn(v any) (all []func(any)) {
	switch v := v.(type) {
	case drawn:
		for _, k := range sortedKeys(v) {
			all = append(all, func(to any) { v[k] = to })
			all = append(all, placesIn(v[k])...)
		}
	case []any:
		for i := range v {
			all = append(all, func(to any) { v[i] = to })
			all = append(all, placesIn(v[i])...)
		}
	}
	return all
}

// objectsIn returns the objects in v, v included.
func objectsIn(v any) (all []drawn) {
	switch v := v.(type) {
	case drawn:
		all = append(all, v)
		for _, k := range sortedKeys(v) {
			all = append(all, objectsIn(v[k])...)
		}
	case []any:
		for i := range v {
			all = append(all, objectsIn(v[i])...)
		}
	}
	return all
}

func sortedKeys(m drawn) []string { return slices.Sorted(maps.Keys(m)) }

// mutate breaks v in one place, or puts null there.
func mutate(t *rapid.T, v drawn) {
	switch rapid.SampledFrom([]string{"nothing", "value", "rename", "extra"}).Draw(t, "mutation") {
	case "value":
		set := rapid.SampledFrom(placesIn(v)).Draw(t, "place")
		set(rapid.SampledFrom([]any{
			nil, true, 5, 80.5, json.Number("80.0"), json.Number("8e1"), json.Number("4294967376"), json.Number("-0"),
			"text", "", "2026-01-31", []any{}, []any{nil}, []any{"a"}, drawn{}, drawn{"a": nil}, drawn{"a": 1},
		}).Draw(t, "value"))
	case "rename":
		o := rapid.SampledFrom(objectsIn(v)).Draw(t, "object")
		if keys := sortedKeys(o); len(keys) > 0 {
			k := rapid.SampledFrom(keys).Draw(t, "key")
			to := rapid.SampledFrom([]string{strings.ToUpper(k), strings.ToLower(k), k + "s", ""}).Draw(t, "new key")
			value := o[k]
			delete(o, k)
			o[to] = value
		}
	case "extra":
		o := rapid.SampledFrom(objectsIn(v)).Draw(t, "object")
		o[rapid.SampledFrom([]string{"extra", "spec", "status", "from", "metadata"}).Draw(t, "extra key")] = drawn{}
	}
}

// The decoder takes what API servers take in strict mode, makes the same
// object of it, and refuses the rest.
func TestDecodeIsThatOfTheServer(t *testing.T) {
	server := serverDecode(t)
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		v := drawPolicy(t)
		// Without kind and version the server does not begin to decode.
		apiVersion, kind := v["apiVersion"], v["kind"]
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		var w drawn
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&w))
		for range rapid.IntRange(1, 3).Draw(t, "mutations") {
			mutate(t, w)
		}
		w["apiVersion"], w["kind"] = apiVersion, kind
		text, err := json.Marshal(w)
		require.NoError(t, err)

		want, err := server(text)
		got, faults := ourDecode(text)
		if err != nil {
			refused++
			require.NotEmpty(t, faults, "%s\nserver: %v", text, err)
			return
		}
		accepted++
		require.Empty(t, faults, "%s", text)
		require.Equal(t, want, got, "%s", text)
	})
	assert.Greater(t, accepted, 10)
	assert.Greater(t, refused, 10)
}

// Every type that is read can be decoded: an object with a value in each of
// its fields decodes to what encoding/json makes of it.
func TestDecodeKnowsAllTypes(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			full := sample(k.object, k.reads)
			text, err := json.Marshal(full)
			require.NoError(t, err)
			v, err := newTreeReader(text).next()
			require.NoError(t, err)

			got := reflect.New(k.object)
			dec := decoder{json: text, strict: true}
			dec.decode(v, got.Elem(), k.shape())
			assert.Empty(t, dec.findings)

			want := reflect.New(k.object)
			require.NoError(t, json.Unmarshal(text, want.Interface()))
			assert.Equal(t, want.Interface(), got.Interface())
			assert.NotEqual(t, reflect.New(k.object).Interface(), got.Interface(), "not trivially equal")
		})
	}
}

// sample returns JSON of type t with a value for each field in reads.
func sample(t reflect.Type, reads fields) any {
	types := make(typeTable)
	switch t.String() {
	case "intstr.IntOrString":
		return "web"
	case "v1.Time":
		return "2026-01-31T09:30:00Z"
	case "v1.FieldsV1":
		return drawn{"f:spec": drawn{}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return sample(t.Elem(), reads)
	case reflect.String:
		return "s"
	case reflect.Bool:
		return true
	case reflect.Int32, reflect.Int64:
		return 7
	case reflect.Slice:
		return []any{sample(t.Elem(), reads)}
	case reflect.Map:
		return drawn{"k": sample(t.Elem(), reads)}
	case reflect.Struct:
		o := drawn{}
		s := types.of(t)
		for name, index := range s.index {
			if within, ok := reads[name]; ok || reads == nil {
				o[name] = sample(t.FieldByIndex(index).Type, within)
			}
		}
		return o
	}
	panic("no sample of a " + t.String())
}

func TestNearest(t *testing.T) {
	names := []string{"egress", "from", "ingress", "podSelector", "policyTypes", "ports", "to"}
	for _, tt := range []struct{ s, want, why string }{
		{"ingres", "ingress", "a letter is missing"},
		{"ingresss", "ingress", "a letter too many"},
		{"ingrass", "ingress", "a wrong letter"},
		{"ingerss", "ingress", "two letters swapped"},
		{"INGRESS", "ingress", "case is the most common mistake"},
		{"podselectro", "podSelector", "two mistakes in a long name"},
		{"form", "from", "swapped letters in a short name"},
		{"fo", "", "to is too short to guess by one letter"},
		{"rules", "", "nothing is like it"},
		{"", "", "nothing is like nothing"},
		{strings.Repeat("x", 1<<20), "", "long names cost nothing"},
	} {
		assert.Equal(t, tt.want, nearest(tt.s, names), tt.why)
	}
}

// distance is symmetric, zero only for equal texts, and changes by at most one
// when one letter is added.
func TestDistance(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		n := distance(a, b)
		assert.Equal(t, n, distance(b, a))
		assert.Equal(t, n == 0, a == b)
		assert.LessOrEqual(t, n, max(len(a), len(b)))
		assert.GreaterOrEqual(t, n, max(len(a)-len(b), len(b)-len(a)))
		assert.InDelta(t, n, distance(a+"c", b), 1)
	})
}
