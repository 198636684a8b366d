package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ErrorTypeUnknown is the type of an [Error] about a field that does not exist.
const ErrorTypeUnknown field.ErrorType = "FieldValueUnknown"

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
	// it they are warnings, because stored objects may hold them. Objects that
	// were not read from a file are always judged without it.
	StrictCIDR bool

	// MaxBytes is the largest file or stream to read. 0 or less means 1 GiB.
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
// policy that is not modeled is an error, see [Loader.Accept].
//
// Parse takes YAML from r piece by piece, and from an [io.Seeker], of which it may
// read parts twice, also a list in JSON as kubectl prints it. Beyond the objects,
// it needs memory for about twice the largest document, which for other JSON is
// the whole stream, and for a few times more if the document is not written
// plainly.
//
// It goes on after an error and returns all of them joined, each an [*Error],
// in source order, and then no Cluster. After a thousand, it only counts them.
func (l Loader) Parse(name string, r io.Reader) (*Cluster, error) {
	rd := newReading(l)
	rd.stream(name, r)
	return rd.result()
}

// ParseFS is like Parse for files of fsys. A root may be a file or a folder;
// without roots it reads all of fsys. In a folder, ParseFS reads the files
// whose names end in .yaml, .yml or .json, in any letter case, in lexical order,
// and goes down into folders; it passes over names that begin with a dot and
// kustomization.yaml. Symbolic links to files are followed; of links to
// folders it warns, unless they are roots. A folder without any such file is
// an error, for it is most likely not the one that was meant.
func (l Loader) ParseFS(fsys fs.FS, roots ...string) (*Cluster, error) {
	if len(roots) == 0 {
		roots = []string{"."}
	}
	rd := newReading(l)
	for _, s := range sitesIn(fsys, roots) {
		switch {
		case s.err != nil:
			rd.fail(&Error{Place: Place{File: s.name}, Err: s.err})
		case s.warning != "":
			rd.cluster.Warnings = append(rd.cluster.Warnings,
				Warning{Place: Place{File: s.name}, Code: "not-followed", Text: s.warning})
		default:
			rd.file(fsys, s.name)
		}
	}
	return rd.result()
}

// Join returns a Cluster with the objects of all of clusters, in their order,
// and for each name in their Hosts with all its addresses. It shares the objects
// with them. A nil Cluster is an empty one.
func Join(clusters ...*Cluster) *Cluster {
	all := &Cluster{}
	read := 0
	for _, c := range clusters {
		if c == nil {
			continue
		}
		all.gather(c)
		for name, addrs := range c.Hosts {
			if all.Hosts == nil {
				all.Hosts = make(map[string][]netip.Addr)
			}
			all.Hosts[name] = append(all.Hosts[name], addrs...)
		}
		for obj, s := range c.sources {
			moved := *s
			moved.order += read
			all.setSource(obj, &moved)
		}
		read += len(c.sources)
	}
	for name, addrs := range all.Hosts {
		all.Hosts[name] = distinct(addrs)
	}
	return all
}

// gather adds what from holds, except its Hosts and where it was read.
func (c *Cluster) gather(from *Cluster) {
	for i := range kinds {
		kinds[i].join(c, from)
	}
	c.Warnings = append(c.Warnings, from.Warnings...)
	for name, n := range from.Skipped {
		c.skip(name, n)
	}
}

// A site is a file to read, or why something else is not read.
type site struct {
	name    string
	err     error
	warning string
}

// sitesIn returns what there is to read in roots, sorted by name, everything
// once.
func sitesIn(fsys fs.FS, roots []string) []site {
	var all []site
	for _, root := range roots {
		if root != "" {
			root = path.Clean(root)
		}
		info, err := fs.Stat(fsys, root)
		switch {
		case err != nil:
			all = append(all, site{name: root, err: withoutPath(err)})
		case info.IsDir():
			in := sitesBelow(fsys, root)
			if len(in) == 0 {
				in = []site{{name: root, err: errors.New("no file in this folder ends in .yaml, .yml or .json")}}
			}
			all = append(all, in...)
		default:
			all = append(all, siteOf(root, info.Mode()))
		}
	}
	slices.SortStableFunc(all, func(a, b site) int { return cmp.Compare(a.name, b.name) })
	return slices.CompactFunc(all, func(a, b site) bool { return a.name == b.name })
}

// sitesBelow returns what there is to read in a folder and the folders in it.
func sitesBelow(fsys fs.FS, folder string) []site {
	entries, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return []site{{name: folder, err: withoutPath(err)}}
	}
	var all []site
	for _, e := range entries {
		name, mode := path.Join(folder, e.Name()), e.Type()
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if mode&fs.ModeSymlink != 0 {
			info, err := fs.Stat(fsys, name)
			switch {
			case err != nil:
				all = append(all, site{name: name, err: fmt.Errorf("a link to nowhere: %w", withoutPath(err))})
				continue
			case info.IsDir():
				all = append(all, site{name: name, warning: "a link to a folder, whose files are not read: name it as a root to read them"})
				continue
			}
			mode = info.Mode()
		}
		switch {
		case mode.IsDir():
			all = append(all, sitesBelow(fsys, name)...)
		case isManifest(e.Name()):
			all = append(all, siteOf(name, mode))
		}
	}
	return all
}

// siteOf returns the site of a file. One that is a pipe or a device might
// never end.
func siteOf(name string, mode fs.FileMode) site {
	if !mode.IsRegular() {
		return site{name: name, err: errors.New("not a regular file")}
	}
	return site{name: name}
}

func isManifest(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return name != "kustomization.yaml" && name != "kustomization.yml"
	}
	return false
}

// withoutPath returns err without the path, which the [Place] of an error
// tells.
func withoutPath(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// A reading is one call of Parse or ParseFS, or a part of one.
type reading struct {
	Loader
	*tools
	cluster *Cluster // without the sources
	sources []origin // in the order of the input
	errs    []error
	dropped int // errors after the first maxErrors
	scanned int // documents that a scanner read
	parsed  int // documents that the libraries read
}

// tools are what the parts of a reading share that are done one after another.
type tools struct {
	types  typeTable
	path   []fieldPath // empty, to be used again
	report report
	yaml   yamlScanner
	json   jsonScanner
	piece  int  // how much of a stream to take at once, if it can be divided
	slow   bool // the libraries read everything, for tests
}

func newTools() *tools { return &tools{types: make(typeTable), piece: 1 << 18} }

// An origin tells where an object was read.
type origin struct {
	object metav1.Object
	source *source
}

// maxErrors is how many errors are told. Nobody reads more, and a wrong file
// could have millions.
const maxErrors = 1000

func newReading(l Loader) *reading {
	if l.Namespace == "" {
		l.Namespace = metav1.NamespaceDefault
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = 1 << 30
	}
	return &reading{Loader: l, tools: newTools(), cluster: &Cluster{}}
}

// part returns a reading of a part of what r reads, which is empty yet. What it
// finds counts when it is joined to r, and until then it can be dropped.
func (r *reading) part() *reading {
	return &reading{Loader: r.Loader, tools: r.tools, cluster: &Cluster{}}
}

// join adds what part found.
func (r *reading) join(part *reading) {
	for _, err := range part.errs {
		r.fail(err)
	}
	r.dropped += part.dropped
	r.cluster.gather(part.cluster)
	r.sources = append(r.sources, part.sources...)
	r.scanned += part.scanned
	r.parsed += part.parsed
}

func (r *reading) fail(err error) {
	if len(r.errs) == maxErrors {
		r.dropped++
		return
	}
	r.errs = append(r.errs, err)
}

func (r *reading) result() (*Cluster, error) {
	if r.dropped > 0 {
		r.errs = append(r.errs, &Error{Err: fmt.Errorf("%d more errors", r.dropped)})
	}
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	if len(r.sources) > 0 {
		r.cluster.sources = make(map[metav1.Object]*source, len(r.sources))
	}
	for i, o := range r.sources {
		o.source.order = i
		r.cluster.sources[o.object] = o.source
	}
	return r.cluster, nil
}

// file reads a file of fsys.
func (r *reading) file(fsys fs.FS, name string) {
	f, err := fsys.Open(name)
	if err != nil {
		r.fail(&Error{Place: Place{File: name}, Err: withoutPath(err)})
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > r.MaxBytes {
		r.tooLarge(name)
		return
	}
	r.stream(name, f)
}

// A scanner reads documents, or gives up.
type scanner interface {
	// guess returns what the document d seems to be.
	guess(d *document) header

	// document returns the value of d, or nil if the scanner gives up. If there
	// is an audience, the elements of a member called items are for it.
	document(d *document, a *audience) *value

	// itemsIn gives each the items of the list d that begin between two places at
	// which items begin. It returns false if the scanner gives up.
	itemsIn(d *document, at, end int, each func(*value)) bool

	// again returns the places of everything in the object at a place in the
	// last document. It returns false if the scanner gives up.
	again(at int) (_ *value, ok bool)

	// places is again for an object at a place in the document d, with which
	// the scanner begins.
	places(d *document, at int) (_ *value, ok bool)
}

// scan reads a document, and returns false if the scanner gives up.
func (r *reading) scan(d *document, s scanner) bool {
	d.scanner, d.offsets = s, true
	h := s.guess(d)
	list := manifest{doc: d, apiVersion: h.apiVersion, kind: h.kind}
	if l, ok := list.listing(); ok && l.refused == nil && (d.before == nil || l.equals(d.before.list)) {
		items, found := d.before, d.before == nil
		if items == nil {
			items = r.part().itemsOf(l)
		}
		d.items = items.all
		d.root = s.document(d, &audience{
			each: func(v *value) {
				d.items.object(l.element(items.n, v))
				items.n++
			},
			piece: r.piece,
			divide: func(cuts []int) bool {
				found = found || cuts[0] == d.file.gap.at
				return found && items.between(d, cuts)
			},
		})
		if !found || d.root != nil && (d.root.textOf("apiVersion") != h.apiVersion || d.root.textOf("kind") != h.kind) {
			d.root = nil
		}
	}
	if d.root == nil && d.before == nil {
		d.items = nil
		d.root = s.document(d, nil)
	}
	if d.root == nil {
		d.scanner, d.offsets = nil, d.isJSON
		return false
	}
	r.scanned++
	r.object(manifest{doc: d, value: d.root})
	return true
}

// isNamedJSON reports whether the name of a file says that it is JSON.
func isNamedJSON(name string) bool { return strings.ToLower(path.Ext(name)) == ".json" }

// seemsJSON reports whether a file is JSON if it can be read as such.
func seemsJSON(name string, text []byte) bool {
	return isNamedJSON(name) || bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
}

// scanJSON reads the values of f, and returns false if the scanner gives up. The
// first is a list of which items were read before, unless before is nil.
func (r *reading) scanJSON(f *file, before *itemReader) bool {
	if !utf8.Valid(f.text) {
		return false
	}
	values := r.part()
	for at := 0; ; {
		rest := bytes.TrimLeft(f.text[at:], " \t\r\n")
		if len(rest) == 0 {
			r.join(values)
			return true
		}
		d := &document{file: f, at: len(f.text) - len(rest), end: len(f.text), json: f.text, isJSON: true, before: before}
		before = nil
		if !values.scan(d, &r.json) {
			return false
		}
		at = r.json.at
	}
}

// splitJSON returns the values in the text of f if it is JSON: if its name says
// so, or if it is JSON up to its end.
func splitJSON(f *file) (_ []*document, isJSON bool) {
	named := isNamedJSON(f.name)
	if at, bad := badUTF8(f.text); bad {
		d := &document{file: f, isJSON: true, offsets: true}
		d.faults = d.fault(at, "not UTF-8: save the file as UTF-8")
		return []*document{d}, true
	}
	var docs []*document
	r := newTreeReader(f.text)
	for {
		v, err := r.next()
		if err == io.EOF {
			return docs, true
		}
		if err != nil && !named {
			return nil, false
		}
		d := &document{file: f, root: v, json: f.text, isJSON: true, offsets: true}
		docs = append(docs, d)
		switch {
		case err != nil:
			d.faults = d.fault(r.at, err.Error())
			return docs, true
		case r.repeated:
			d.faults = d.repeated()
		}
	}
}
