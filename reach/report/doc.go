// Package report shows who reaches whom in a cluster as tables and pictures: for a
// terminal, a review, a spreadsheet, a web page, a program.
//
//	m, err := report.Of(g, report.Options{})
//	if err != nil {
//		return err
//	}
//	return m.Write(os.Stdout, report.Markdown)
//
// A [Matrix] is data first: groups of endpoints, and for every ordered pair of them a
// cell with the ports that are open from the one to the other. [OfDiff] makes one of
// what a change opens and closes. [Matrix.Write] writes it in each [Format], without the
// help of other programs.
//
// # Groups
//
// Endpoints of which all cells are equal are one group, such as the replicas of a
// Deployment: "shop/web-* (3 pods)", or "shop/web-1 and 2 more" if others are called
// web-something as well. What that leaves may be too much for a picture. Then each
// namespace is one group, and if there are too many of these, all but the busiest ones
// together. Pictures, pages and lists say so; [Options] choose a detail, or namespaces.
//
// Addresses outside the cluster are "outside" if no policy tells them apart, and else
// classes such as "203.0.113.0/24" and "outside except 203.0.113.0/24". Those of a
// family that no pod has are left out.
//
// # Cells
//
// A cell of two groups holds the ports that are open from each member of the first
// to each other member of the second, over some address family. If members of the
// groups differ in that, as they may in a cell of namespaces, it holds the ports that
// are open for some pair, and is written in brackets. A hyphen stands for no port. A dot
// stands where there is nothing to tell: for a pod and itself, for nodes and addresses
// outside among themselves, for what is in none of the namespaces that were chosen.
//
// Policies have no say between a node and the pods that run on it. A cell speaks of the
// other pairs, if there are any: see [Cell.OwnNode].
//
// # Arrows
//
// Where a graph would have arrows from or to every end of a namespace, or every pod, it
// has one: "every pod -> kube-system/coredns". So do the lists that text and Markdown
// have in place of a wide table. What such an arrow says of an end may be less than what
// another one says of it, and never more.
package report
