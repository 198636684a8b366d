package policy

import (
	"io"
	"io/fs"
)

// A Loader reads manifests. Its fields are the choices that a caller has; the
// zero Loader is strict and is what [Parse] and [ParseFS] use.
// A Loader may be copied and used concurrently.
type Loader struct {
	// Namespace is the namespace of objects that name none, as the request's
	// is for kubectl. Empty means "default".
	Namespace string

	// Accept lists kinds that change what can reach what and that this module
	// does not model, as kind and group: "CiliumNetworkPolicy.cilium.io".
	// They are an error unless listed here; those listed are passed over, with
	// a warning for each, and the answers are those of a cluster without them.
	Accept []string

	// StrictCIDR refuses blocks with host bits, leading zeros or IPv4-mapped
	// IPv6, as API servers do for new objects since Kubernetes 1.36. Without
	// it they are warnings, because stored objects may hold them.
	StrictCIDR bool

	// MaxBytes is the largest file or stream to read. 0 means 1 GiB.
	MaxBytes int64
}

// Parse is Loader{}.Parse.
func Parse(name string, r io.Reader) (*Cluster, error) { return Loader{}.Parse(name, r) }

// ParseFS is Loader{}.ParseFS.
func ParseFS(fsys fs.FS, roots ...string) (*Cluster, error) { return Loader{}.ParseFS(fsys, roots...) }

// Parse reads the manifests of one stream, which errors call name: YAML or
// JSON, any number of documents, lists as kubectl prints them.
//
// Parse is strict where a mistake would change the answers: in a NetworkPolicy
// every field counts. In the other kinds the fields that matter here must be
// right, unknown fields beside them are warnings, and what has no bearing is
// not looked into. Kinds without bearing are counted in Skipped. A kind of
// policy that is not modelled is an error, see [Loader.Accept].
//
// It goes on after an error and returns all of them joined, each an [*Error],
// in source order, and then no Cluster.
func (l Loader) Parse(name string, r io.Reader) (*Cluster, error) { panic("todo") }

// ParseFS is like Parse for files of fsys. A root may be a file or a folder;
// without roots it reads all of fsys. In a folder, ParseFS reads the files
// whose names end in .yaml, .yml or .json, in lexical order, and goes down
// into folders; it passes over names that begin with a dot and
// kustomization.yaml.
func (l Loader) ParseFS(fsys fs.FS, roots ...string) (*Cluster, error) { panic("todo") }

// Join returns a Cluster with the objects of all of clusters.
func Join(clusters ...*Cluster) *Cluster { panic("todo") }
