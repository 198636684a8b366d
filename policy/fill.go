package policy

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Most objects have nothing in them of which there would be something to tell.
// From JSON, these are made without a tree of values. At anything else, such as
// a wrong type or an unknown field, the functions of this file return false: then
// the tree is made, of which a decoder tells what is wrong.

// fill makes an object of kind k. The members of v are what has been read of it so
// far; s is at the name of the next one, and the names since first, of which the
// latest is last, are there already. If fill returns false, s is where it was.
func (s *jsonScanner) fill(v *value, k *kind, first opening, last []byte, ascending bool) bool {
	at, names, depth := s.at, len(s.names), s.depth
	obj := k.make()
	if !s.fillMembers(reflect.ValueOf(obj).Elem(), k.shape(), first, last, ascending) {
		s.at, s.names, s.depth = at, s.names[:names], depth
		return false
	}
	v.object = obj
	return true
}

func (s *jsonScanner) fillMembers(out reflect.Value, in *shape, first opening, last []byte, ascending bool) bool {
	for {
		if s.token() != '"' {
			return false
		}
		begin := s.at + 1
		if escaped, ok := s.quoted(); escaped || !ok {
			return false
		}
		name := s.text[begin : s.at-1]
		ascending = ascending && isBelow(last, name)
		last = name
		s.names = append(s.names, name)
		f := in.field(name)
		if f == nil || s.token() != ':' {
			return false
		}
		s.at++
		s.space()
		ok := false
		if f.read {
			to := out
			for _, i := range f.index {
				to = to.Field(i)
			}
			ok = s.fillValue(to, f)
		} else {
			s.at, ok = s.skipMember(name, s.at)
		}
		if !ok {
			return false
		}
		switch s.token() {
		case ',':
			s.at++
			continue
		case '}':
			s.at++
			if ascending {
				s.names = s.names[:first]
				return true
			}
			return s.distinctSince(first)
		}
		return false
	}
}

// fillValue reads a value into out, which is what the field f holds, or a part of
// it.
func (s *jsonScanner) fillValue(out reflect.Value, f *shapeField) bool {
	at, c := s.at, s.token()
	switch kind := out.Kind(); {
	case c == 'n':
		return s.word("null")
	case kind == reflect.Pointer:
		to := reflect.New(out.Type().Elem())
		out.Set(to)
		return s.fillValue(to.Elem(), f)
	case kind == reflect.String && c == '"':
		text, ok := s.plainText()
		out.SetString(text)
		return ok
	case kind == reflect.Bool && c == 't':
		out.SetBool(true)
		return s.word("true")
	case kind == reflect.Bool && c == 'f':
		return s.word("false")
	case kind == reflect.Int32, kind == reflect.Int64:
		n, ok := s.whole(out.Type().Bits())
		out.SetInt(n)
		return ok
	case kind == reflect.Struct && f.within == nil:
		return s.fillSpecial(at, out.Addr().Interface())
	case c != '{' && c != '[' || s.depth == deepest:
		return false
	}
	s.depth++
	s.at++
	ok := false
	switch kind := out.Kind(); {
	case kind == reflect.Slice && c == '[':
		ok = s.fillList(out, f)
	case kind == reflect.Map && c == '{':
		ok = s.fillMap(out)
	case kind == reflect.Struct && c == '{':
		if s.token() == '}' {
			s.at++
			ok = true
		} else {
			ok = s.fillMembers(out, f.within, opening(len(s.names)), nil, true)
		}
	}
	s.depth--
	return ok
}

// plainText reads a text in quotes.
func (s *jsonScanner) plainText() (text string, ok bool) {
	at := s.at
	escaped, ok := s.quoted()
	if !ok {
		return "", false
	}
	return s.said(s.text[at:s.at], escaped)
}

// whole reads a whole number.
func (s *jsonScanner) whole(bits int) (n int64, ok bool) {
	at := s.at
	if s.at = behindNumber(s.text, at); s.at == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(s.text[at:s.at]), 10, bits)
	return n, err == nil
}

func (s *jsonScanner) fillSpecial(at int, out any) (ok bool) {
	switch to := out.(type) {
	case *intstr.IntOrString:
		if s.token() == '"' {
			to.Type = intstr.String
			to.StrVal, ok = s.plainText()
			return ok
		}
		n, ok := s.whole(32)
		*to = intstr.FromInt32(int32(n))
		return ok
	case *metav1.Time:
		if s.token() != '"' {
			return false
		}
		if s.at, ok = s.skip(s.at); ok {
			ok = json.Unmarshal(s.text[at:s.at], to) == nil
		}
		return ok
	case *metav1.FieldsV1:
		if s.at, ok = s.skip(s.at); ok {
			to.SetRawBytes(slices.Clone(s.text[at:s.at]))
		}
		return ok
	}
	return false
}

// fillList reads the elements of a list. They are put together in a list that is
// used again and again, because it is not known before how many there are.
func (s *jsonScanner) fillList(out reflect.Value, f *shapeField) bool {
	list, ok := s.lists[f]
	if !ok {
		list = reflect.New(out.Type()).Elem()
	}
	delete(s.lists, f) // it stays away if something in it is not used up
	n := 0
	for s.token() != ']' || n > 0 {
		if n == list.Len() {
			list.Grow(1)
			list.SetLen(list.Cap())
		}
		if s.token() == 'n' || !s.fillValue(list.Index(n), f) {
			return false
		}
		n++
		if c := s.token(); c == ']' {
			break
		} else if c != ',' {
			return false
		}
		s.at++
	}
	s.at++
	if n == 0 {
		out.Set(reflect.MakeSlice(out.Type(), 0, 0))
	}
	out.Grow(n)
	out.SetLen(n)
	reflect.Copy(out, list)
	for i := range n {
		list.Index(i).SetZero()
	}
	if s.lists == nil {
		s.lists = make(map[*shapeField]reflect.Value)
	}
	s.lists[f] = list
	return true
}

// fillMap reads the members of a map from texts to texts.
func (s *jsonScanner) fillMap(out reflect.Value) bool {
	m := make(map[string]string)
	out.Set(reflect.ValueOf(m))
	if s.token() == '}' {
		s.at++
		return true
	}
	for n := 1; s.token() == '"'; n++ {
		begin := s.at + 1
		if escaped, ok := s.quoted(); escaped || !ok {
			return false
		}
		name := s.words.get(s.text[begin : s.at-1])
		if s.token() != ':' {
			return false
		}
		s.at++
		if s.token() != '"' {
			return false
		}
		text, ok := s.plainText()
		if m[name] = text; !ok || len(m) < n { // a name that is repeated
			return false
		}
		switch s.token() {
		case ',':
			s.at++
			continue
		case '}':
			s.at++
			return true
		}
		return false
	}
	return false
}
