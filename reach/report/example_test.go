package report_test

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/report"
)

// shop compiles a cluster of a database, which lets in two pods on one port.
func shop() *reach.Graph {
	c, err := policy.Parse("shop.yaml", strings.NewReader(`
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-2, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
`))
	if err != nil {
		log.Fatal(err)
	}
	g, err := reach.Compile(c)
	if err != nil {
		log.Fatal(err)
	}
	return g
}

// show writes all of a cluster in a format.
func show(g *reach.Graph, f report.Format) {
	m, err := report.Of(g, report.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Write(os.Stdout, f); err != nil {
		log.Fatal(err)
	}
}

// For a terminal.
func Example() {
	m, err := report.Of(shop(), report.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Write(os.Stdout, report.Text); err != nil {
		log.Fatal(err)
	}
	// Output:
	// from \ to           | shop/db | shop/web-* (2 pods) | outside
	// shop/db             | .       | -                   | -
	// shop/web-* (2 pods) | 5432    | all                 | all
	// outside             | -       | all                 | .
}

// For the comment on a change.
func ExampleOfDiff() {
	before := shop()
	after, err := before.With(policy.Remove("NetworkPolicy", "shop", "db"))
	if err != nil {
		log.Fatal(err)
	}
	m, err := report.OfDiff(reach.Compare(before, after), report.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Write(os.Stdout, report.Markdown); err != nil {
		log.Fatal(err)
	}
	// Output:
	// | from | to | ports |
	// | --- | --- | --- |
	// | shop/db | all of these | +all |
	// | shop/web-\* (2 pods) | shop/db | +1-5431,5433-65535,UDP,SCTP,other protocols |
	// | outside | shop/db | +all |
	//
	// All else stays as it is.
}

// The data, without any form.
func ExampleMatrix_Cells() {
	m, err := report.Of(shop(), report.Options{Detail: report.Namespaces})
	if err != nil {
		log.Fatal(err)
	}
	for c := range m.Cells() {
		fmt.Println(m.Groups[c.From].Name, "->", m.Groups[c.To].Name, c.Ports, c.Some)
	}
	// Output:
	// shop (3 pods) -> shop (3 pods) all true
	// shop (3 pods) -> outside all true
	// outside -> shop (3 pods) all true
}

// For a review.
func ExampleMatrix_Write_markdown() {
	show(shop(), report.Markdown)
	// Output:
	// | from \\ to | shop/db | shop/web-\* (2 pods) | outside |
	// | --- | --- | --- | --- |
	// | shop/db | . | - | - |
	// | shop/web-\* (2 pods) | 5432 | all | all |
	// | outside | - | all | . |
}

// For a spreadsheet.
func ExampleMatrix_Write_csv() {
	show(shop(), report.CSV)
	// Output:
	// from \ to,shop/db,shop/web-* (2 pods),outside
	// shop/db,.,-,-
	// shop/web-* (2 pods),5432,all,all
	// outside,-,all,.
}

// For a program.
func ExampleMatrix_Write_json() {
	show(shop(), report.JSON)
	// Output:
	// {"is": "matrix",
	// "detail": "alike",
	// "groups": [
	// {"name":"shop/db","kind":"pods","namespace":"shop","members":["shop/db"]},
	// {"name":"shop/web-* (2 pods)","kind":"pods","namespace":"shop","members":["shop/web-1","shop/web-2"]},
	// {"name":"outside","kind":"outside","members":["0.0.0.0/0","::/0"]}],
	// "cells": [
	// {"from":1,"to":[0],"ports":["5432/TCP"]},
	// {"from":1,"to":[1,2],"ports":["all"]},
	// {"from":2,"to":[1],"ports":["all"]}],
	// "warnings": []}
}

// For Markdown on GitHub and the like, which draw a block of code in the language mermaid.
func ExampleMatrix_Write_mermaid() {
	show(shop(), report.Mermaid)
	// Output:
	// flowchart LR
	//   subgraph c0["shop"]
	//     n0("db")
	//     n1("web-#42; (2 pods)<br>among themselves: all")
	//   end
	//   n2("outside")
	//   n1 -->|"5432"| n0
	//   n1 <-->|"all"| n2
	//   notes["All else is closed."]
	//   classDef many stroke-dasharray:4 3
	//   classDef notes fill:none,stroke:none,text-align:left
	//   class notes notes
	//   classDef space fill:#8899aa22,stroke:#8899aa
	//   class c0 space
}

// For Graphviz: dot -Tsvg.
func ExampleMatrix_Write_dot() {
	show(shop(), report.DOT)
	// Output:
	// digraph reach {
	//   graph [rankdir=LR, bgcolor=white, fontname="Helvetica,Arial,sans-serif", fontsize=12, labeljust=l, ranksep=0.9, nodesep=0.18];
	//   node [shape=box, style="rounded,filled", color="#5b6b7b", fillcolor=white, fontname="Helvetica,Arial,sans-serif", fontsize=11, height=0.3, margin="0.12,0.05"];
	//   edge [color="#5b6b7b", fontcolor="#1f2933", fontname="Helvetica,Arial,sans-serif", fontsize=9, arrowsize=0.6];
	//   label="All else is closed.\l";
	//   subgraph cluster_0 {
	//     graph [label="shop", style="rounded,filled", color="#c3ccd5", fillcolor="#f1f4f7"];
	//     n0 [label="db"];
	//     n1 [label="web-* (2 pods)\namong themselves: all"];
	//   }
	//   n2 [label="outside"];
	//   n1 -> n0 [label="5432"];
	//   n1 -> n2 [label="all", dir=both];
	// }
}

// A command can offer all formats without naming them.
func ExampleFormats() {
	fmt.Println(report.Formats())
	// Output: [text markdown csv json html svg dot mermaid]
}
