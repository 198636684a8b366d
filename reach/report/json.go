package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/polreach/polreach/policy"
)

type jsonGroup struct {
	Name      string   `json:"name"`
	Kind      Kind     `json:"kind"`
	Namespace string   `json:"namespace,omitempty"`
	Only      Side     `json:"only,omitempty"`
	Members   []string `json:"members"`
}

type jsonCell struct {
	From      int      `json:"from"`
	To        []int    `json:"to"`
	Ports     []string `json:"ports,omitempty"`
	Opened    []string `json:"opened,omitempty"`
	Closed    []string `json:"closed,omitempty"`
	Some      bool     `json:"some,omitempty"`
	OneFamily bool     `json:"oneFamily,omitempty"`
	OwnNode   bool     `json:"ownNode,omitempty"`
}

type jsonWarning struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// writeJSON writes a line for each group, cell and warning.
func (m *Matrix) writeJSON(w *bufio.Writer) error {
	groups := func(yield func(any) bool) {
		for i := range m.Groups {
			g := &m.Groups[i]
			if !yield(jsonGroup{g.Name, g.Kind, g.Namespace, g.Only, g.texts}) {
				return
			}
		}
	}
	cells := func(yield func(any) bool) {
		for from := range m.Groups {
			for _, c := range m.jsonCells(from) {
				if !yield(c) {
					return
				}
			}
		}
	}
	warnings := func(yield func(any) bool) {
		for _, x := range m.warnings() {
			if !yield(jsonWarning{x.Code, x.String()}) {
				return
			}
		}
	}
	what := "matrix"
	if m.isDiff() {
		what = "difference"
	}
	fmt.Fprintf(w, "{\"is\": %q,\n\"detail\": %q", what, m.Detail)
	for _, list := range []struct {
		name  string
		items iter.Seq[any]
	}{{"groups", groups}, {"cells", cells}, {"warnings", warnings}} {
		fmt.Fprintf(w, ",\n%q: [", list.name)
		sep := "\n"
		for item := range list.items {
			text, err := json.Marshal(item)
			if err != nil {
				return err
			}
			w.WriteString(sep)
			w.Write(text)
			sep = ",\n"
		}
		w.WriteString("]")
	}
	w.WriteString("}\n")
	return nil
}

// jsonCells returns the cells of a row, those that are equal as one.
func (m *Matrix) jsonCells(from int) []jsonCell {
	type key struct {
		value     int32
		some, own bool
	}
	var list []jsonCell
	index := make(map[key]int)
	for _, e := range m.cells().rows[from] {
		if !m.isShown(e) {
			continue
		}
		k := key{e.value, e.some, e.own}
		n, ok := index[k]
		if !ok {
			n = len(list)
			index[k] = n
			c := m.cell(from, e)
			cell := jsonCell{From: from, Some: c.Some, OneFamily: c.OneFamily, OwnNode: c.OwnNode}
			if m.isDiff() {
				cell.Opened, cell.Closed = jsonPorts(c.Ports), jsonPorts(c.Closed)
			} else {
				cell.Ports = jsonPorts(c.Ports)
			}
			list = append(list, cell)
		}
		list[n].To = append(list[n].To, int(e.to))
	}
	return list
}

func jsonPorts(s policy.PortSet) []string {
	if s.IsEmpty() {
		return nil
	}
	return strings.Split(s.String(), ", ")
}
