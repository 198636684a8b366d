package policy

import (
	"bytes"
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
}

// fill reads until there are n bytes of text, or all there are.
func (s *stream) fill(n int) {
	s.text = slices.Grow(s.text, max(0, n-len(s.text)))
	for len(s.text) < n && !s.end {
		space := s.text[len(s.text):min(cap(s.text), n)]
		got, err := s.in.Read(space[:min(int64(len(space)), s.most+1-s.read)])
		s.text = s.text[:len(s.text)+got]
		s.read += int64(got)
		if err != nil && err != io.EOF {
			s.err = err
		}
		s.end = err != nil || s.read > s.most
	}
}

// left returns how much is left to read, if that is known, or a large number.
func (s *stream) left() int64 {
	left := int64(math.MaxInt64)
	switch in := s.in.(type) {
	case interface{ Len() int }:
		left = int64(in.Len())
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := in.Stat(); err == nil && s.read < info.Size() {
			left = info.Size() - s.read
		}
	}
	return min(left, s.most-s.read)
}

// fillMore reads about as much as there is, and one byte behind the end to know
// that it is one.
func (s *stream) fillMore() {
	more := min(int64(len(s.text))+512, s.left()+1)
	s.fill(len(s.text) + int(more))
}

// fillAll reads everything.
func (s *stream) fillAll() {
	const large = 1 << 30
	if left := s.left(); left < large {
		s.fill(len(s.text) + int(left) + 1)
	}
	for !s.end {
		s.fillMore()
	}
}

// take returns the first n bytes of the text.
func (s *stream) take(n int) []byte {
	taken := s.text[:n:n]
	s.text = slices.Clone(s.text[n:])
	return taken
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
		c.do(func(part *reading) { part.documents(f) })
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
	waiting []chan *reading
	idle    []*tools
}

// do begins to read a piece.
func (c *crew) do(read func(part *reading)) {
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
	if workers == 1 {
		read(part)
		c.done(part)
		c.idle = append(c.idle, part.tools)
		return
	}
	ready := make(chan *reading, 1)
	c.waiting = append(c.waiting, ready)
	go func() {
		read(part)
		ready <- part
	}()
}

// wait waits for the first of the pieces that are being read.
func (c *crew) wait() {
	part := <-c.waiting[0]
	c.waiting = c.waiting[1:]
	c.done(part)
	c.idle = append(c.idle, part.tools)
}

// finish waits for all pieces.
func (c *crew) finish() {
	for len(c.waiting) > 0 {
		c.wait()
	}
}

// itemsIn reads the items of the list l that begin in front of the last of cuts,
// and returns how many there are, or false if a scanner gives up.
func (r *reading) itemsIn(l listing, cuts []int) (n int, ok bool) {
	l.item.doc.file.lines() // from now on, it may be asked for lines at the same time
	type piece struct {
		begin, end int
		items      int
		ok         bool
	}
	read := func(part *reading, p *piece, first int) {
		d := *l.item.doc
		d.scanner = part.scannerFor(&d)
		in := l
		in.item.doc = &d
		p.items = 0
		p.ok = d.scanner.itemsIn(&d, p.begin, p.end, func(v *value) {
			part.object(in.element(first+p.items, v))
			p.items++
		})
	}
	pieces := make([]piece, len(cuts)-1)
	next := 0
	ok = true
	c := &crew{all: r, done: func(part *reading) {
		p := &pieces[next]
		next++
		if ok = ok && p.ok; !ok {
			return
		}
		if n > 0 && len(part.errs) > 0 { // they may count the items
			again := r.part()
			again.tools = part.tools
			read(again, p, n)
			part = again
		}
		r.join(part)
		n += p.items
	}}
	for i := range pieces {
		p := &pieces[i]
		p.begin, p.end = cuts[i], cuts[i+1]
		c.do(func(part *reading) { read(part, p, 0) })
	}
	c.finish()
	return n, ok
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
	if !r.slow && r.scanJSON(f) {
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
