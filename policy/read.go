package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/netip"
	"path"
	"slices"
	"strings"

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
		for i := range kinds {
			kinds[i].join(all, c)
		}
		for name, addrs := range c.Hosts {
			if all.Hosts == nil {
				all.Hosts = make(map[string][]netip.Addr)
			}
			all.Hosts[name] = append(all.Hosts[name], addrs...)
		}
		all.Warnings = append(all.Warnings, c.Warnings...)
		for name, n := range c.Skipped {
			all.skip(name, n)
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

// A reading is one call of Parse or ParseFS.
type reading struct {
	Loader
	cluster *Cluster
	types   typeTable
	errs    []error
	dropped int // errors after the first maxErrors
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
	return &reading{Loader: l, cluster: &Cluster{}, types: make(typeTable)}
}

func (r *reading) fail(err *Error) {
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

// stream reads what in has.
func (r *reading) stream(name string, in io.Reader) {
	text, err := io.ReadAll(io.LimitReader(in, min(r.MaxBytes, math.MaxInt64-1)+1))
	switch {
	case err != nil:
		r.fail(&Error{Place: Place{File: name}, Err: withoutPath(err)})
	case int64(len(text)) > r.MaxBytes:
		r.tooLarge(name)
	default:
		r.text(name, text)
	}
}

func (r *reading) tooLarge(name string) {
	r.fail(&Error{Place: Place{File: name}, Err: fmt.Errorf("more than %d bytes: see Loader.MaxBytes", r.MaxBytes)})
}

// text reads the documents of a text.
func (r *reading) text(name string, text []byte) {
	text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	if isUTF16(text) {
		r.fail(&Error{Place: Place{File: name, Line: 1}, Err: errors.New("this is UTF-16: save the file as UTF-8")})
		return
	}
	f := newFile(name, text)
	docs, isJSON := splitJSON(f)
	if !isJSON {
		docs = splitYAML(f)
	}
	for i, d := range docs {
		docs[i] = nil // what was made of it can go when it is read
		if faults := d.parse(); len(faults) > 0 {
			r.attribute(d, faults)
			r.settle(d, "", faults)
		} else if d.root.kind != nullValue {
			r.object(manifest{doc: d, value: d.root})
		}
	}
}

func isUTF16(text []byte) bool {
	return len(text) > 1 && (text[0] == 0xFE && text[1] == 0xFF || text[0] == 0xFF && text[1] == 0xFE ||
		text[0] == 0 != (text[1] == 0))
}

// splitJSON returns the values in the text of f if it is JSON: if its name says
// so, or if it begins as an object and is JSON up to its end.
func splitJSON(f *file) (_ []*document, isJSON bool) {
	named := strings.ToLower(path.Ext(f.name)) == ".json"
	if !named && !bytes.HasPrefix(bytes.TrimLeft(f.text, " \t\r\n"), []byte("{")) {
		return nil, false
	}
	if at, bad := badUTF8(f.text); bad {
		d := &document{file: f, isJSON: true}
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
		d := &document{file: f, root: v, json: f.text, isJSON: true}
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
