// Package selector decides which labels a Kubernetes label selector picks.
//
//   - A [Selector] is a metav1.LabelSelector in normal form; [New] makes one.
//   - A [Partition] sorts many label sets into the classes that many selectors
//     tell apart, so that each selector is evaluated once for each class.
package selector

import (
	"iter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Selector is a label selector in normal form: two selectors that pick the
// same label sets are Equal and print alike, however they were written.
// The zero Selector picks everything. Selectors are immutable, may be copied,
// and are safe for concurrent use.
type Selector struct{}

// New returns the selector that ls describes, or everything that is wrong with
// it, joined. It takes a value, because what a nil selector means depends on
// the field it was left out of.
func New(ls metav1.LabelSelector) (Selector, error) { panic("todo") }

// Matches reports whether s picks an object with the given labels.
// It does not allocate.
func (s Selector) Matches(labels map[string]string) bool { panic("todo") }

// IsEverything reports whether s picks every label set.
func (s Selector) IsEverything() bool { panic("todo") }

// IsNothing reports whether no label set at all can satisfy s.
func (s Selector) IsNothing() bool { panic("todo") }

// Equal reports whether s and t pick the same label sets.
func (s Selector) Equal(t Selector) bool { panic("todo") }

// Keys returns the label keys that s looks at, ascending.
func (s Selector) Keys() iter.Seq[string] { panic("todo") }

// String returns s in the syntax of kubectl's -l flag. It is empty for a
// selector that picks everything.
func (s Selector) String() string { panic("todo") }

// A Partition sorts label sets into classes: two label sets share a class
// exactly when every selector given to [NewPartition] picks both or neither.
// It is immutable and safe for concurrent use.
type Partition struct{}

// A Class is a class of a Partition, from 0 up to its Len.
type Class int

// NewPartition sorts sets into the classes that selectors tell apart.
// It keeps no reference to the maps.
func NewPartition(selectors []Selector, sets []map[string]string) *Partition { panic("todo") }

// Len returns the number of classes, which is 0 if there are no label sets.
func (p *Partition) Len() int { panic("todo") }

// Class returns the class of the i'th label set.
func (p *Partition) Class(i int) Class { panic("todo") }

// In reports whether the i'th selector picks the label sets of c.
func (p *Partition) In(c Class, i int) bool { panic("todo") }

// Classes returns the classes that the i'th selector picks, ascending.
func (p *Partition) Classes(i int) iter.Seq[Class] { panic("todo") }
