// Package policy reads Kubernetes manifests and says what each NetworkPolicy
// in them means.
//
// It is the place where input can be wrong. What leaves it is in normal form:
// no defaults are left to fill in, and nothing depends on whether a list was
// absent, null or empty.
//
//	bytes          Parse, ParseFS     strict, with file and line in the errors
//	API objects    Cluster            plain slices, filled by Parse or by the caller
//	normal form    Cluster.Model      Policy, Pod, Namespace, Node, Service, IngressObject
//
// Reading:
//   - [Parse] reads a stream, [ParseFS] files and folders, [Loader] both with
//     other choices. They return a [Cluster] or every [Error] there is.
//   - What is written plainly is read fast, and of it only what has a bearing:
//     blocks with a key or an element on each line, collections in brackets on
//     one line, strict JSON. Everything else, anchors and tags for example, is
//     left to sigs.k8s.io/yaml and encoding/json, document by document. Objects,
//     errors and warnings are the same either way. All 289 documents of the
//     manifests in the testdata of this module are read fast, and all that the
//     package scale writes, its dumps in the form of kubectl included
//     (go test -run 'ScannedShare|AtScale' -v ./policy).
//   - A list in JSON that is longer than 256 KB is read piece by piece, if its
//     items begin lines, as in what kubectl writes, and it comes from an [io.Seeker].
//   - A [Warning] is data beside the result: legal, but suspicious. [Errors]
//     lists the errors that a joined one holds.
//
// Changing:
//   - [Put], [Remove] and [Relabel] make an [Edit]; [Cluster.With] applies it and
//     leaves the old Cluster as it is.
//
// Meaning:
//   - [New] gives the normal form of one NetworkPolicy, [Cluster.Model] that of
//     everything.
//   - A [Policy] has a [Half] for each [Direction], a Half has [Rule]s, a Rule
//     has [Peer]s and [PortItem]s.
//   - A [Service] has its [ServicePort]s, and its addresses by what leads to them.
//
// Ports, as policies and questions name them:
//   - [Port], [ParsePort], [PortRange], [PortSet], [Protocol].
package policy
