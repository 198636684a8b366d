package policy

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A Place says where in the input something stands, as far as that is known.
// The zero Place is nowhere. Places are comparable.
type Place struct {
	File   string // as the caller of Parse or the file tree names it; empty for objects built in Go
	Line   int    // from 1; 0 if unknown
	Object string // kind and name, such as "NetworkPolicy shop/db"
	Field  string // path in the object, such as "spec.ingress[0].from[1].ipBlock.cidr"
}

// String returns the parts that are known, separated by colons:
// "deploy/db.yaml:14: NetworkPolicy shop/db: spec.podSelector". It cuts what is
// too long to read.
func (p Place) String() string {
	var parts []string
	if p.File != "" {
		file := p.File
		if p.Line > 0 {
			file += ":" + strconv.Itoa(p.Line)
		}
		parts = append(parts, file)
	}
	for _, s := range []string{p.Object, p.Field} {
		if s != "" {
			parts = append(parts, cut(s, 400)) // longer than any legal name
		}
	}
	return strings.Join(parts, ": ")
}

// An Error tells what is wrong with an object and where.
// The functions of this module that return several join them with
// [errors.Join]; [Errors] lists them.
type Error struct {
	Place
	Type field.ErrorType // as the API server classes it; empty for what is not about a field
	Err  error           // what is wrong, and what would be right
}

// Error returns the place and the fault, separated by a colon.
func (e *Error) Error() string {
	if at := e.Place.String(); at != "" {
		return at + ": " + e.Err.Error()
	}
	return e.Err.Error()
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// Errors returns the Errors that err consists of, in their order. It returns
// none if err is nil.
func Errors(err error) []*Error {
	switch err := err.(type) {
	case *Error:
		return []*Error{err}
	case interface{ Unwrap() []error }:
		var all []*Error
		for _, e := range err.Unwrap() {
			all = append(all, Errors(e)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Errors(err.Unwrap())
	}
	return nil
}

// A Warning tells of something legal that probably does not mean what its
// author thinks. Warnings never change an answer.
type Warning struct {
	Place
	Code string // what kind of warning, such as "unlisted-direction"
	Text string // what is suspicious, in words
}

// String returns the place and the text, separated by a colon.
func (w Warning) String() string {
	if at := w.Place.String(); at != "" {
		return at + ": " + w.Text
	}
	return w.Text
}
