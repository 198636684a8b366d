package reach

// A DNS is the answer to whether a client can resolve names.
type DNS struct {
	UDP, TCP []Trace // to port 53 of each server, in their order
}

// Resolves reports whether UDP reaches some server. Without TCP, long answers
// are lost.
func (d DNS) Resolves() bool { panic("todo") }

// String explains d, the same way every time.
func (d DNS) String() string { panic("todo") }

// DNS tells whether from can resolve names at the given servers, or if there are
// none given, at those of [Graph.DNSServers]. It is an error if there is none
// at all.
func (g *Graph) DNS(from Endpoint, servers ...Target) (DNS, error) { panic("todo") }

// DNSServers returns the Services that resolve names for pods: those with the
// labels that CoreDNS, kube-dns and OpenShift give them, or called
// kube-system/kube-dns. If there are none, it returns the pods with such labels.
func (g *Graph) DNSServers() []Target { panic("todo") }
