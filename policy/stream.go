package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"strings"
)

// A stream is the input under one name. It is read piece by piece.
type stream struct {
	in   io.Reader
	most int64  // bytes to read
	read int64  // bytes read
	text []byte // read, and not yet taken
	end  bool   // nothing is left in in
	err  error
	idle int      // reads in a row that brought nothing
	free [][]byte // to be used again
}

// fill reads until there are n bytes of text, or all there are.
func (s *stream) fill(n int) {
	for len(s.text) < n && !s.end {
		if len(s.text) == cap(s.text) {
			more := n - len(s.text)
			if left, known := s.left(); known {
				more = int(min(int64(more), max(left, 0)+1))
			}
			s.text = slices.Grow(s.text, more)
		}
		space := s.text[len(s.text):min(cap(s.text), n)]
		got, err := s.in.Read(space[:min(int64(len(space)), s.most+1-s.read)])
		s.text = s.text[:len(s.text)+got]
		s.read += int64(got)
		if s.idle++; got > 0 {
			s.idle = 0
		}
		if s.idle >= 100 && err == nil {
			err = io.ErrNoProgress
		}
		if err != nil && err != io.EOF {
			s.err = err
		}
		s.end = err != nil || s.read > s.most
	}
}

// left returns how much is left to read, if that is known. It is never more than
// what may be read.
func (s *stream) left() (left int64, known bool) {
	switch in := s.in.(type) {
	case interface{ Len() int }:
		left, known = int64(in.Len()), true
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := in.Stat(); err == nil && s.read < info.Size() {
			left, known = info.Size()-s.read, true
		}
	}
	return min(left, s.most-s.read), known
}

// fillMore reads about as much as there is, and one byte behind the end to know
// that it is one.
func (s *stream) fillMore() {
	more := len(s.text) + 512
	if left, known := s.left(); known {
		more = int(min(int64(more), left+1))
	}
	s.fill(len(s.text) + more)
}

// fillAll reads everything.
func (s *stream) fillAll() {
	const large = 1 << 30
	if left, known := s.left(); known && left < large {
		s.fill(len(s.text) + int(left) + 1)
	}
	for !s.end {
		s.fillMore()
	}
}

// take returns the first n bytes of the text, which the caller gives back.
func (s *stream) take(n int) []byte {
	taken := s.text[:n]
	var next []byte
	if last := len(s.free) - 1; last >= 0 {
		next, s.free = s.free[last], s.free[:last]
	}
	s.text = append(next, s.text[n:]...)
	return taken
}

// giveBack takes back a text that nobody reads any more.
func (s *stream) giveBack(text []byte) { s.free = append(s.free, text[:0]) }

// rewinder returns a function that makes s what it is now, if what it reads can
// be read again. It must then begin with head.
func (s *stream) rewinder(head []byte) (rewind func(), ok bool) {
	in, ok := s.in.(io.Seeker)
	if !ok {
		return nil, false
	}
	at, err := in.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, false
	}
	n, read := len(s.text), s.read
	return func() {
		s.text, s.read, s.end = s.text[:0], read-int64(n), false
		_, err := in.Seek(at-int64(n), io.SeekStart)
		if err == nil {
			s.fill(n)
			if s.err == nil && !bytes.HasPrefix(s.text, head) {
				err = errors.New("the input changed while it was read")
			}
		}
		if err != nil {
			s.err, s.end = err, true
		}
	}, true
}

// stream reads what in has.
func (r *reading) stream(name string, in io.Reader) {
	s := &stream{in: in, most: min(r.MaxBytes, math.MaxInt64-1)}
	all := r.part()
	all.pieces(name, s)
	for !s.end { // what is not looked at counts as well
		s.text = s.text[:0]
		s.fill(r.piece)
	}
	switch {
	case s.err != nil:
		r.fail(&Error{Place: Place{File: name}, Err: withoutPath(s.err)})
	case s.read > s.most:
		r.tooLarge(name)
	default:
		r.join(all)
	}
}

func (r *reading) tooLarge(name string) {
	r.fail(&Error{Place: Place{File: name}, Err: fmt.Errorf("more than %d bytes: see Loader.MaxBytes", r.MaxBytes)})
}

// pieces reads what s has, and takes of it no more at a time than it needs.
func (r *reading) pieces(name string, s *stream) {
	if r.slow {
		s.fillAll()
	}
	s.fill(max(r.piece, len(byteOrderMark)))
	s.text = bytes.TrimPrefix(s.text, []byte(byteOrderMark))
	for !s.end && len(bytes.TrimLeft(s.text, " \t\r\n")) == 0 {
		s.fillMore()
	}
	if isUTF16(s.text) {
		r.fail(&Error{Place: Place{File: name, Line: 1}, Err: errors.New("this is UTF-16: save the file as UTF-8")})
		return
	}
	if seemsJSON(name, s.text) {
		if !r.slow && r.longList(name, s) {
			return
		}
		s.fillAll()
		if f := newFile(name, s.text); !s.incomplete() && r.values(f) {
			return
		}
	}
	c := &crew{all: r, done: r.join}
	for line, searched := 0, 0; ; {
		n := len(s.text)
		if !s.end {
			n = lastBegin(s.text, searched)
		}
		if n == 0 && !s.end {
			searched = len(s.text)
			s.fillMore()
			continue
		}
		if s.incomplete() {
			c.finish()
			return
		}
		f := newFile(name, s.take(n))
		f.first, searched = line, 0
		if s.end && len(s.text) == 0 {
			c.finish()
			r.documents(f)
			return
		}
		line += f.ends(0, n)
		c.do(func(part *reading) { part.documents(f) }, func() { s.giveBack(f.text) })
		s.fill(r.piece)
	}
}

// incomplete reports whether there is more text that cannot be read.
func (s *stream) incomplete() bool { return s.err != nil || s.read > s.most }

// lastBegin returns the last place, but the first, at which certainly a document
// of text begins, or 0. There is none in the first text[:searched].
func lastBegin(text []byte, searched int) int {
	const marker = "\n---"
	from := max(0, searched-len(marker))
	for end := len(text); ; {
		at := bytes.LastIndex(text[from:end], []byte(marker))
		if at < 0 {
			return 0
		}
		at += from
		if behind := at + len(marker); behind < len(text) && strings.IndexByte(" \t\r\n", text[behind]) >= 0 {
			// A directive would belong to what follows the marker.
			before := text[max(0, bytes.LastIndex(text[:at], []byte(marker))):at]
			if !bytes.HasPrefix(before, []byte("%")) && !slices.ContainsFunc(lineEnds, func(end string) bool {
				return bytes.Contains(before, []byte(end+"%"))
			}) {
				return at + 1
			}
		}
		end = at + len(marker) - 1
	}
}

var lineEnds = append([]string{"\n", "\r"}, unusualEnds...)

// A crew reads pieces of an input at the same time. It hands over what they hold
// in the order in which they came.
type crew struct {
	all     *reading // what the pieces are parts of
	done    func(part *reading)
	waiting []atWork
	idle    []*tools
}

// An atWork is a piece that is being read.
type atWork struct {
	ready chan *reading
	then  func() // to be called when it is handed over
}

// do begins to read a piece.
func (c *crew) do(read func(part *reading), then func()) {
	part := c.all.part()
	workers := runtime.GOMAXPROCS(0)
	for len(c.waiting) >= workers {
		c.wait()
	}
	if len(c.idle) == 0 {
		c.idle = append(c.idle, newTools())
	}
	part.tools = c.idle[len(c.idle)-1]
	c.idle = c.idle[:len(c.idle)-1]
	ready := make(chan *reading, 1)
	c.waiting = append(c.waiting, atWork{ready, then})
	if workers == 1 {
		read(part)
		ready <- part
		c.wait()
		return
	}
	go func() {
		read(part)
		ready <- part
	}()
}

// wait waits for the first of the pieces that are being read.
func (c *crew) wait() {
	first := c.waiting[0]
	part := <-first.ready
	c.waiting = c.waiting[1:]
	c.done(part)
	first.then()
	c.idle = append(c.idle, part.tools)
}

// finish waits for all pieces.
func (c *crew) finish() {
	for len(c.waiting) > 0 {
		c.wait()
	}
}

// An itemReader reads the items of a list, piece by piece.
type itemReader struct {
	crew
	list   listing
	pieces []*itemPiece // that are being read
	n      int          // items that were read
	failed bool         // a scanner gave up
}

// An itemPiece is a part of a list, doc.file.text[at:end].
type itemPiece struct {
	doc     document
	at, end int
	n       int // of items
	failed  bool
}

// itemsOf returns a reader of the items of l, which are for r.
func (r *reading) itemsOf(l listing) *itemReader {
	x := &itemReader{list: l}
	x.crew = crew{all: r, done: x.join}
	return x
}

// add begins to read a piece, and calls then when its text is not needed any more.
func (x *itemReader) add(p *itemPiece, then func()) {
	x.pieces = append(x.pieces, p)
	x.do(func(part *reading) { x.read(part, p, 0) }, then)
}

// read reads p into part. Its first item is at the index first of the list.
func (x *itemReader) read(part *reading, p *itemPiece, first int) {
	p.n = 0
	p.doc.scanner = part.scannerFor(&p.doc)
	l := x.list
	l.item.doc = &p.doc
	p.failed = !p.doc.scanner.itemsIn(&p.doc, p.at, p.end, func(v *value) {
		part.object(l.element(first+p.n, v))
		p.n++
	})
}

// join adds the first of the pieces, which part has read.
func (x *itemReader) join(part *reading) {
	p := x.pieces[0]
	x.pieces = x.pieces[1:]
	if x.failed = x.failed || p.failed; x.failed {
		return
	}
	if x.n > 0 && len(part.errs) > 0 { // they may count the items
		again := x.all.part()
		again.tools = part.tools
		x.read(again, p, x.n)
		part = again
	}
	x.all.join(part)
	x.n += p.n
}

// between reads the items of the document d that begin between cuts, and returns
// false if a scanner gives up.
func (x *itemReader) between(d *document, cuts []int) bool {
	d.file.lines() // from now on, it may be asked for lines at the same time
	for i := range len(cuts) - 1 {
		x.add(&itemPiece{doc: *d, at: cuts[i], end: cuts[i+1]}, func() {})
	}
	x.finish()
	return !x.failed
}

// longList reads a list in JSON, the text of s, of which it takes no more at a
// time than it needs. It returns false if this cannot be done, and then s is as
// it was.
func (r *reading) longList(name string, s *stream) bool {
	begin, newline := firstItem(s.text)
	head := slices.Clone(s.text[:begin])
	rewind, ok := s.rewinder(head)
	if begin == 0 || s.end || !ok {
		return false
	}
	h := r.json.guess(&document{file: newJSON(name, head), end: len(head)})
	h = header{cmp.Or(h.apiVersion, "v1"), cmp.Or(h.kind, "List")}
	l, ok := (&manifest{apiVersion: h.apiVersion, kind: h.kind}).listing()
	if !ok || l.refused != nil {
		return false
	}
	all := r.part()
	items := all.part().itemsOf(l)
	cut := gap{at: begin}
	line := newJSON(name, head).lines() - 1
	s.giveBack(s.take(begin))
	for searched := 0; !s.end && !items.failed; {
		n := lastItem(s.text, searched, newline+"{")
		if n == 0 {
			searched = max(0, len(s.text)-len(newline))
			s.fillMore()
			continue
		}
		f := newJSON(name, s.take(n+len(newline)))
		f.first, searched = line+cut.lines, 0
		cut.lines = f.lines() - 1 - line
		items.add(&itemPiece{
			doc: document{file: f, end: len(f.text), json: f.text, isJSON: true, offsets: true},
			end: len(f.text),
		}, func() { s.giveBack(f.text) })
		s.fill(r.piece)
	}
	items.finish()
	if s.incomplete() {
		return true
	}
	f := newJSON(name, append(head, s.text...))
	f.gap = cut
	if items.failed || !all.scanJSON(f, items) {
		rewind()
		return false
	}
	r.join(all)
	return true
}

// lastItem returns the last place in text, but the first, at which there is what
// is in front of an item, or 0. There is none in text[:searched].
func lastItem(text []byte, searched int, item string) int {
	for at := len(text); ; {
		if at = searched + bytes.LastIndexByte(text[searched:at], '\n'); at < searched {
			return 0
		}
		if bytes.HasPrefix(text[at:], []byte(item)) {
			return at
		}
	}
}

// firstItem returns the place in text, which is JSON, at which the first item of
// a list seems to begin, and what is between it and the line before it. If that
// is anything but spaces, the place is 0.
func firstItem(text []byte) (at int, newline string) {
	const items = `"items"`
	n := bytes.Index(text, []byte(items))
	if n < 0 {
		return 0, ""
	}
	at = n + len(items)
	for _, c := range []byte(":[{") {
		if at = behindSpace(text, at); at == len(text) || text[at] != c {
			return 0, ""
		}
		at++
	}
	at--
	line := bytes.LastIndexByte(text[:at], '\n')
	if line < 0 || len(bytes.TrimLeft(text[line+1:at], " ")) > 0 {
		return 0, ""
	}
	return at, string(text[line:at])
}

// scannerFor returns the scanner that reads documents like d.
func (t *tools) scannerFor(d *document) scanner {
	if d.isJSON {
		return &t.json
	}
	return &t.yaml
}

// documents reads the documents of f.
func (r *reading) documents(f *file) {
	docs := splitYAML(f)
	for i, d := range docs {
		docs[i] = nil // what was made of it can go when it is read
		if !r.slow && r.scan(d, &r.yaml) {
			continue
		}
		r.document(d)
	}
}

// values reads the values of f. It returns false if f is not JSON.
func (r *reading) values(f *file) bool {
	if !r.slow && r.scanJSON(f, nil) {
		return true
	}
	docs, isJSON := splitJSON(f)
	for i, d := range docs {
		docs[i] = nil // what was made of it can go when it is read
		r.document(d)
	}
	return isJSON
}

// document reads a document with the libraries.
func (r *reading) document(d *document) {
	r.parsed++
	if faults := d.parse(); len(faults) > 0 {
		r.attribute(d, faults)
		r.settle(d, "", faults)
	} else if d.root.kind != nullValue {
		r.object(manifest{doc: d, value: d.root})
	}
}

func isUTF16(text []byte) bool {
	return len(text) > 1 && (text[0] == 0xFE && text[1] == 0xFF || text[0] == 0xFF && text[1] == 0xFE ||
		text[0] == 0 != (text[1] == 0))
}
