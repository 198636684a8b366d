package audit

import (
	"encoding/json"
	"io"
)

// Text writes findings for people: each on a line of its own, and below it the
// proof, the places that have to do with it and the suggestion. It returns the
// first error of w.
func Text(w io.Writer, findings []Finding) error {
	for _, f := range findings {
		text := f.String() + "\n"
		if proof := f.Proof.String(); proof != "" {
			text += "    proof: " + proof + "\n"
		}
		for _, at := range f.Related {
			text += "    see: " + at.String() + "\n"
		}
		if f.Suggestion != "" {
			text += "    suggestion: " + f.Suggestion + "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

type (
	jsonFinding struct {
		Check      string      `json:"check"`
		Severity   string      `json:"severity"`
		Kind       string      `json:"kind"`
		Namespace  string      `json:"namespace,omitempty"`
		Name       string      `json:"name"`
		Field      string      `json:"field,omitempty"`
		File       string      `json:"file,omitempty"`
		Line       int         `json:"line,omitempty"`
		Message    string      `json:"message"`
		Proof      jsonProof   `json:"proof"`
		Suggestion string      `json:"suggestion,omitempty"`
		Related    []jsonPlace `json:"related,omitempty"`
	}
	jsonProof struct {
		Flow *jsonFlow `json:"flow,omitempty"`
		Text string    `json:"text,omitempty"`
	}
	jsonFlow struct {
		From   string `json:"from"`
		To     string `json:"to"`
		Port   string `json:"port"`
		Family string `json:"family"`
	}
	jsonPlace struct {
		File   string `json:"file,omitempty"`
		Line   int    `json:"line,omitempty"`
		Object string `json:"object,omitempty"`
		Field  string `json:"field,omitempty"`
	}
)

func (p Proof) json() jsonProof {
	j := jsonProof{Text: p.Text}
	if f := p.Flow; f != (Proof{}).Flow {
		j.Flow = &jsonFlow{f.From.String(), f.To.String(), f.Port.String(), f.Family.String()}
	}
	return j
}

func (f Finding) json() jsonFinding {
	j := jsonFinding{
		Check: f.Check, Severity: f.Severity.String(),
		Kind: f.Kind, Namespace: f.Name.Namespace, Name: f.Name.Name,
		Field: f.Place.Field, File: f.Place.File, Line: f.Place.Line,
		Message: f.Message, Proof: f.Proof.json(), Suggestion: f.Suggestion,
	}
	for _, at := range f.Related {
		j.Related = append(j.Related, jsonPlace(at))
	}
	return j
}

// JSON writes findings as a list of objects with the fields check, severity, kind,
// namespace, name, field, file, line, message, proof, suggestion and related. What
// is not known is left out. A proof has a text, a flow or both; a flow has the texts
// from, to, port and family; and related is a list of places with file, line, object
// and field. It returns the first error of w.
func JSON(w io.Writer, findings []Finding) error {
	list := make([]jsonFinding, len(findings))
	for i, f := range findings {
		list[i] = f.json()
	}
	return writeJSON(w, list)
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
