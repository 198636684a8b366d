package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/polreach/polreach/policy"
)

// The parts of SARIF 2.1.0 that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string              `json:"id"`
		ShortDescription     sarifText           `json:"shortDescription"`
		FullDescription      sarifText           `json:"fullDescription"`
		Help                 sarifText           `json:"help"`
		DefaultConfiguration sarifConfiguration  `json:"defaultConfiguration"`
		Properties           sarifRuleProperties `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifConfiguration struct {
		Level string `json:"level"`
	}
	sarifRuleProperties struct {
		Precision string   `json:"precision"` // of which code scanning makes an order
		Tags      []string `json:"tags"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		RuleIndex           int               `json:"ruleIndex"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		RelatedLocations    []sarifLocation   `json:"relatedLocations,omitempty"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Properties          sarifProof        `json:"properties"`
	}
	sarifProof struct {
		Proof      jsonProof `json:"proof"`
		Suggestion string    `json:"suggestion,omitempty"`
	}
	sarifLocation struct {
		ID               *int                   `json:"id,omitempty"`
		PhysicalLocation *sarifPhysical         `json:"physicalLocation,omitempty"`
		LogicalLocations []sarifLogicalLocation `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogicalLocation struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

// fingerprint is the name of the fingerprints that SARIF writes. Its number counts
// up if they are made otherwise.
const fingerprint = "polreach/v1"

// SARIF writes findings as SARIF 2.1.0, as code scanning reads it: every check as a
// rule, and each finding as a result. Files are as [policy.ParseFS] names them; they
// should be relative to the root of the repository. A finding has the same fingerprint
// as long as check, object and field are the same, wherever in the files they stand.
// What was not read from a file has no physical location, and code scanning may refuse
// it.
//
// It returns the first error of w, and one if a finding is of no check.
func SARIF(w io.Writer, findings []Finding) error {
	driver := sarifDriver{Name: "polreach"}
	index := make(map[string]int)
	for _, a := range analyses {
		for _, c := range a.checks {
			index[c.ID] = len(driver.Rules)
			doc := sarifText{sentence(c.Doc)}
			driver.Rules = append(driver.Rules, sarifRule{
				ID: c.ID, ShortDescription: doc, FullDescription: doc, Help: doc, // code scanning wants all three
				DefaultConfiguration: sarifConfiguration{c.Severity.String()},
				Properties:           sarifRuleProperties{"very-high", []string{"network-policy", strings.ReplaceAll(a.group, " ", "-")}},
			})
		}
	}
	results := make([]sarifResult, len(findings))
	same := make(map[string]int)
	for i, f := range findings {
		rule, ok := index[f.Check]
		if !ok {
			return unknown(f.Check)
		}
		identity := strings.Join([]string{f.Check, f.Kind, f.Name.Namespace, f.Name.Name, f.Place.Field}, "\x00")
		same[identity]++
		sum := sha256.Sum256([]byte(identity))
		r := sarifResult{
			RuleID: f.Check, RuleIndex: rule, Level: f.Severity.String(),
			Message:             sarifText{f.paragraph()},
			Locations:           []sarifLocation{locationOf(f.Place)},
			PartialFingerprints: map[string]string{fingerprint: fmt.Sprintf("%s:%d", hex.EncodeToString(sum[:16]), same[identity])},
			Properties:          sarifProof{f.Proof.json(), f.Suggestion},
		}
		for n, at := range f.Related {
			loc := locationOf(at)
			loc.ID = &n
			r.RelatedLocations = append(r.RelatedLocations, loc)
		}
		results[i] = r
	}
	return writeJSON(w, sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{{sarifTool{driver}, results}},
	})
}

// paragraph returns all that there is to say of a finding, as sentences.
func (f Finding) paragraph() string {
	var all []string
	if f.Message != "" {
		all = append(all, sentence(f.Message))
	}
	if proof := f.Proof.String(); proof != "" {
		all = append(all, "Proof: "+proof+".")
	}
	if f.Suggestion != "" {
		all = append(all, sentence(f.Suggestion))
	}
	return strings.Join(all, " ")
}

// sentence returns words, of which there are some, as a sentence.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

func locationOf(at policy.Place) sarifLocation {
	var loc sarifLocation
	if at.File != "" {
		loc.PhysicalLocation = &sarifPhysical{ArtifactLocation: sarifArtifact{(&url.URL{Path: at.File}).String()}}
		if at.Line > 0 {
			loc.PhysicalLocation.Region = &sarifRegion{at.Line}
		}
	}
	name, kind := at.Object, "object"
	if at.Field != "" {
		name, kind = name+": "+at.Field, "member"
	}
	loc.LogicalLocations = []sarifLogicalLocation{{name, kind}}
	return loc
}
