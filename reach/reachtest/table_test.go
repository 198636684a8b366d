package reachtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The table of the shop follows from its policies, see testdata/shop/truth.txt.
func TestTableFile(t *testing.T) {
	c := shop(t)
	assert.True(t, c.MatchesTableFile(t, "testdata/shop.table"))
	data, err := os.ReadFile("testdata/shop.table")
	require.NoError(t, err)
	formatted, err := reachtest.FormatTable(string(data))
	require.NoError(t, err)
	assert.Equal(t, string(data), formatted)

	r := run(func(t reachtest.TB) { c.MatchesTableFile(t, "testdata/none.table", "why") })
	assert.Contains(t, r.log, "why\nthe table cannot be read: open testdata/none.table:")
}

// TestTableNotices takes policies away of which the table has pairs.
func TestTableNotices(t *testing.T) {
	c := shop(t)
	for _, name := range []string{"shop/redis-clients", "shop/postgres-clients", "shop/payments", "data/postgres", "data/backup", "monitoring/prometheus"} {
		ns, name, _ := strings.Cut(name, "/")
		r := run(func(tb reachtest.TB) {
			c.With(tb, policy.Remove("NetworkPolicy", ns, name)).MatchesTableFile(tb, "testdata/shop.table")
		})
		assert.Contains(t, r.log, " are not as they should be\n", name)
	}
}

// tables are tables that do not match. Their reports are in testdata/tables.txt.
var tables = []struct {
	name    string
	cluster func(reachtest.TB) *reachtest.Cluster
	table   string
}{
	{"one cell", shop, `
		default := -
		# Who uses the database?
		from \ to     | data/postgres | data/redis
		shop/api      | 5432          |            # a client
		shop/cart     | 5432          | 6379       # has its own
		shop/frontend |               |
	`},
	{"members differ", shop, `
		caches := data/redis and data/postgres
		from \ to      | caches | shop/api
		pods in shop   | -      | .
		shop/frontend  | -      | 8080
	`},
	{"not reviewed", shop, `
		from \ to      | data/postgres | data/redis
		shop/worker    | 5432 ?        | ?
		pods in shop   | ?             | .
		shop/cart      | 5432?         | 6379
	`},
	{"ports", shop, `
		from \ to             | pods in shop | kube-system/coredns | ingress/controller
		monitoring/prometheus | metrics      | 53/UDP,53,9153      | metrics
		203.0.113.9           | -            | 53                  | http, https
		shop/payments         | .            | dns,dns-tcp         | -
	`},
	{"itself", officeOf, `
		from \ to | x/back | x/web | node:n1
		x/back    | -      | all   | all
		node:n1   | all    | all   | all
		*         | .      | all   | .
	`},
}

func TestTablesDiffer(t *testing.T) {
	want := readReports(t, "testdata/tables.txt")
	for _, tt := range tables {
		t.Run(tt.name, func(t *testing.T) {
			r := run(func(tb reachtest.TB) { assert.False(t, tt.cluster(tb).MatchesTable(tb, tt.table)) })
			assert.Equal(t, want[tt.name], r.log)
			assert.False(t, r.ended)
		})
		delete(want, tt.name)
	}
	assert.Empty(t, want, "reports of no table")
}

// TestTablesRefused has tables that are not written right, or ask nothing.
func TestTablesRefused(t *testing.T) {
	c := shop(t)
	const header = "from \\ to | data/postgres | data/redis\n"
	for _, tt := range []struct{ table, want string }{
		// Nothing is asked.
		{"", `table is no table: its first row would name the columns, such as "from \ to | data/postgres | outside"`},
		{"# nothing\n\n", `table is no table: its first row would name the columns, such as "from \ to | data/postgres | outside"`},
		{header, `table:1:1: the table has no rows; the next line would be such as "shop/api | 5432"`},
		{header + "shop/api | . | .", `table asks nothing: every cell is "."`},
		{"default := .\n" + header + "shop/api | |", `table asks nothing: every cell is "."`},
		{header + "shop/api except shop/api | - | -", `table:2:1: "shop/api except shop/api" holds nothing`},
		{header + "everything | . | -\n* | - | -", `table:3:1: "*" holds nothing: the others name everything`},
		{header + "pods | . | -\n* except outside | - | -", `table:3:1: "* except outside" holds nothing`},

		// Heads.
		{"shop/api | 5432 | 6379\nshop/cart | - | 6379", `table:1:1: the first row names the columns; write "from \\ to" before the first bar, not "shop/api"`},
		{" | data/postgres | \n", `table:1:20: a column without a set; write one, or take the bar away`},
		{" | data/postgres | data/redis | data/postgres\n", `table:1:33: a second column data/postgres`},
		{header + " | 5432 | -", `table:2:2: a row without a set; write one before the first bar`},
		{header + "shop/api | 5432 | -\n# again\n  shop/api | 5432 | -", `table:4:3: a second row shop/api, as in line 2`},
		{header + "shop/apu | 5432 | -", `table:2:1: "shop/apu": the cluster has no pod or workload shop/apu; did you mean shop/api?`},
		{"from \\ to | data/redis | svc:data/postgres\nshop/api | - | 5432", `table:1:26: "svc:data/postgres": a table is about endpoints; name those behind the Service`},
		{header + "* | . | -\n* except outside | - | -", `table:3:1: "*" stands at the head of * already; write the sets out`},

		// Cells.
		{header + "shop/api | 5432", `table:2:12: the cell of data/redis is left out; write it, such as "-" or ".", or give a default in a line such as "default := -"`},
		{header + "shop/api | | -", `table:2:12: the cell of data/postgres is left out; write it, such as "-" or ".", or give a default in a line such as "default := -"`},
		{header + "shop/api | 5432 | - | -", `table:2:23: a cell beyond the 2 columns of line 1`},
		{header + "shop/api | 5432 | none", `table:2:19: for nothing, write "-"`},
		{header + "shop/api | 5432,none | -", `table:2:12: for nothing, write "-" alone`},
		{header + "shop/api | 5432 | 70000", `table:2:19: ports "70000": the port must be between 1 and 65535; a cell is "-", "all", ports such as 80,53/UDP, the name of a port, or "."`},
		{header + "shop/api | 5432 | 80,,81", `table:2:19: ports "": nothing is written here: write ports such as 80/TCP, all or none; a cell is "-", "all", ports such as 80,53/UDP, the name of a port, or "."`},
		{header + "shop/api | 5432 | .?", `table:2:19: a cell is "." if it is not asked, or "?" if it is undecided`},
		{header + "shop/api | 5432 | -\nshop/cart | - | reddis", `table:3:17: data/redis has no port reddis, only metrics (9121/TCP), redis (6379/TCP)`},

		// Other lines.
		{header + "shop/api 5432 -", `table:2:1: "shop/api 5432 -" has neither a bar nor ":="; write a row such as "shop/api | 5432", a name such as "db := data/postgres", or "#" before a comment`},
		{"db := \n" + header, `table:1:7: db := means nothing; write a set or, of default, a cell after it`},
		{"data/db := data/postgres\n" + header, `table:1:1: "data/db" is no name; use letters, digits, _ and -, and no word of sets`},
		{"pods := data/postgres\n" + header, `table:1:1: "pods" is no name; use letters, digits, _ and -, and no word of sets`},
		{"a := shop/api\na := shop/cart\n" + header, `table:2:1: a is defined in line 1 already`},
		{"  a := shop/api\n" + header + "shop/cart | - | 6379", `table:1:3: no row or column is called a`},
		{"a := shop/api | 5432\n" + header, `table:1:1: "a" is defined as what has a bar; write a row, or a set without bars`},
		{"ä := shop/api\n" + header, `table:1:1: "ä" is no name; use letters, digits, _ and -, and no word of sets`},
		{"a := shop/apu\n" + header + "# ä\n ä | | \na | - | -", `table:4:6: the cell of data/postgres is left out; write it, such as "-" or ".", or give a default in a line such as "default := -"`},
		{"default := -\ndefault := .\n" + header, `table:2:1: a second default`},
		{"default := 80?\n" + header, `table:1:12: a default cannot be undecided; leave the line out`},
		{"default := none\n" + header, `table:1:12: for nothing, write "-"`},
	} {
		r := run(func(tb reachtest.TB) { assert.False(t, c.MatchesTable(tb, tt.table), tt.table) })
		assert.Equal(t, tt.want+"\n", r.log, tt.table)
	}
}

func TestTableTooLarge(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "|column%d", i)
	}
	for i := range 1000 {
		fmt.Fprintf(&b, "\nrow%d|", i)
	}
	r := run(func(tb reachtest.TB) { shop(tb).MatchesTable(tb, b.String()) })
	assert.Equal(t, "table:526:1: the table has more than 1048576 cells\n", r.log) // 525 rows of 2000 and the header
}

// TestTableUpdate writes a table anew, and fails all the same.
func TestTableUpdate(t *testing.T) {
	c := shop(t)
	file := filepath.Join(t.TempDir(), "net.table")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o666)) }
	read := func() string {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		return string(data)
	}
	matches := func() string {
		return run(func(tb reachtest.TB) { c.MatchesTableFile(tb, file) }).log
	}
	before := `
  # Who uses what?
db := data/postgres # the only one
from \ to | db | data/redis|outside
shop/api|  # a client
shop/worker | 1 | ? | .
 pods in shop|-|5432 ?|-  # wrong, and stays
`
	after := `# Who uses what?
db := data/postgres # the only one
from \ to    | db    | data/redis | outside
shop/api     | 5432? | -?         | -?      # a client
shop/worker  | 1     | 6379?      | .
pods in shop | -     | 5432?      | -       # wrong, and stays
`
	write(before)
	assert.Contains(t, matches(), "is left out")
	assert.Equal(t, before, read(), "nobody has asked to write it")

	t.Setenv(reachtest.UpdateTables, "true")
	assert.Equal(t, "REACHTEST_UPDATE_TABLES is \"true\"; set it to 1 to write tables anew, or unset it\n", matches())
	assert.Equal(t, before, read())

	t.Setenv(reachtest.UpdateTables, "1")
	assert.Equal(t, file+" is written anew, with 5 cells to review, which have a question mark; now unset REACHTEST_UPDATE_TABLES\n", matches())
	assert.Equal(t, after, read())
	assert.Contains(t, matches(), "5 cells to review", "a second time")
	assert.Equal(t, after, read())

	t.Setenv(reachtest.UpdateTables, "0")
	assert.Contains(t, matches(), "8 of the 8 cells that are asked are not as they should be")

	// Members that differ are left for a human to tell apart.
	write("from \\ to | data/postgres\npods in shop | \nshop/api | 5432\n")
	t.Setenv(reachtest.UpdateTables, "1")
	assert.Contains(t, matches(), "1 cells to review")
	assert.Equal(t, "from \\ to    | data/postgres\npods in shop | ?\nshop/api     | 5432\n", read())

	// Cells that a default is for stay out.
	write("default := -\nfrom \\ to | data/postgres\nshop/cart |\n")
	assert.Contains(t, matches(), "0 cells to review")
	assert.Equal(t, "default := -\nfrom \\ to | data/postgres\nshop/cart |\n", read())

	// What is right is not marked, and fails as long as the variable is set.
	right := "from \\ to | data/postgres\nshop/api  | 5432\n"
	write(right)
	assert.NotEmpty(t, matches())
	assert.Equal(t, right, read())
	t.Setenv(reachtest.UpdateTables, "")
	assert.Empty(t, matches())

	// A table that is not written right stays as it is.
	write("from \\ to | db\nshop/api|5432")
	t.Setenv(reachtest.UpdateTables, "1")
	assert.Contains(t, matches(), ":1:13: \"db\": ")
	assert.Equal(t, "from \\ to | db\nshop/api|5432", read())
}

// TestPropertyTableText prints tables and parses what is printed.
func TestPropertyTableText(t *testing.T) {
	parsed := 0
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.SampledFrom([]string{"", "", "-", "all", ".", "?", "80", "80 , 53/UDP", "81-90,other protocols ?", "http?", " dns/UDP ", "-?", "none", "é"})
		blank := rapid.SampledFrom([]string{"", " ", "\t", "  \t", "\r", "\u00a0"})
		comment := rapid.SampledFrom([]string{"", "", "", "# why", "#", "#\t a | b := c # d ", "# ☃"})
		heads := []string{"pods tier=db", "a", "b-1", "2", "*", "* except nodes", "203.0.113.0/24", "é", "shop/api"}
		var b strings.Builder
		line := func(parts ...string) {
			for i, p := range parts {
				b.WriteString(blank.Draw(t, "") + p + blank.Draw(t, ""))
				if i+1 < len(parts) && p != "a :=" && p != "default :=" {
					b.WriteString("|")
				}
			}
			b.WriteString(comment.Draw(t, "") + "\n")
		}
		columns := rapid.SliceOfNDistinct(rapid.SampledFrom(heads), 1, 4, rapid.ID[string]).Draw(t, "columns")
		rows := rapid.SliceOfNDistinct(rapid.SampledFrom(heads), 1, 4, rapid.ID[string]).Draw(t, "rows")
		if rapid.Bool().Draw(t, "") {
			line("default :=", rapid.SampledFrom([]string{"-", ".", "80, 81", ""}).Draw(t, ""))
		}
		line()
		line(append([]string{rapid.SampledFrom([]string{"", "from \\ to", "from \\  to"}).Draw(t, "")}, columns...)...)
		for _, row := range rows {
			cells := rapid.SliceOfN(cell, 1, len(columns)).Draw(t, "cells")
			line(append([]string{row}, cells...)...)
			if rapid.IntRange(0, 3).Draw(t, "") == 0 {
				line()
			}
		}
		if slices.Contains(columns, "a") || slices.Contains(rows, "a") {
			line("a :=", "data/postgres and  nodes")
		}
		checkTableText(t, b.String(), &parsed)
	})
	assert.Positive(t, parsed)
}

// checkTableText checks that what is printed parses to the same table.
func checkTableText(t assert.TestingT, text string, parsed *int) {
	printed, err := reachtest.FormatTable(text)
	if err != nil {
		return
	}
	*parsed++
	again, err := reachtest.FormatTable(printed)
	if !assert.NoError(t, err, printed) {
		return
	}
	assert.Equal(t, printed, again)
	want, err := reachtest.TableParts(text)
	assert.NoError(t, err)
	got, err := reachtest.TableParts(printed)
	assert.NoError(t, err)
	assert.Equal(t, want, got)
}

// FuzzTexts asks of texts that anybody may write. None panics, and what a table
// prints parses to the same.
func FuzzTexts(f *testing.F) {
	for _, tt := range tables {
		f.Add("pods tier=db in shop and 203.0.113.0/24 except shop/api", "80, 53/UDP, http!", tt.table)
	}
	f.Add("pods app in (a,b) in namespaces team!=x", "all", "a:=b\n|*\na|-?#\n")
	f.Add("svc:data/postgres", "postgres", "default:=.\n|outside\n::/0|all")
	f.Add("10.0.0.1 except ::ffff:10.0.0.0/100", "IP/47,ICMP", "|a\nb|")
	cluster := shop(f)
	f.Fuzz(func(t *testing.T, set, ports, table string) {
		if len(set)+len(ports)+len(table) > 1<<12 {
			return
		}
		r := run(func(tb reachtest.TB) {
			cluster.Reaches(tb, set, "shop/api", ports)
			cluster.DoesNotReach(tb, "shop/api", set, ports)
			cluster.IsReachedOnlyBy(tb, "shop/api", ports, set)
			cluster.MatchesTable(tb, table)
			cluster.MatchesTable(tb, "|"+set+"\n*|"+ports)
		})
		assert.False(t, r.ended)
		parsed := 0
		checkTableText(t, table, &parsed)
	})
}

// TestPropertyTables compares cells with what is open between all pairs.
func TestPropertyTables(t *testing.T) {
	uniform := 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, drawCluster(t))
		g := w.c.Graph()
		draw := func() (heads []string, sets [][]thing) {
			text, in := w.drawSet(t)
			others := w.others(in)
			if len(in) == 0 || len(others) == 0 {
				t.Skip("a set is empty")
			}
			return []string{text, "*"}, [][]thing{in, others}
		}
		rows, from := draw()
		columns, to := draw()
		text, same, asked := `from \ to | `+strings.Join(columns, " | "), true, false
		wrong := text
		at := rapid.IntRange(0, 3).Draw(t, "wrong cell")
		for i, row := range rows {
			text, wrong = text+"\n"+row, wrong+"\n"+row
			for j := range columns {
				pairs, _ := w.pairs(from[i], to[j])
				open := g.Ports(pairs[0][0], pairs[0][1])
				differs := slices.ContainsFunc(pairs, func(q [2]reach.Endpoint) bool { return !g.Ports(q[0], q[1]).Equal(open) })
				cell := strings.ReplaceAll(open.String(), "none", "-")
				if differs && rapid.IntRange(0, 9).Draw(t, "asks all the same") > 0 {
					cell, differs = ".", false
				}
				same, asked = same && !differs, asked || cell != "."
				text += " | " + cell
				if i*2+j == at {
					cell = "7"
				}
				wrong += " | " + cell
			}
		}
		r := run(func(t reachtest.TB) { w.c.MatchesTable(t, text) })
		same = same && asked
		assert.Equal(t, same, r.log == "", "%s\n%s", text, r.log)
		r = run(func(t reachtest.TB) { w.c.MatchesTable(t, wrong) })
		assert.NotEmpty(t, r.log, wrong)
		if same {
			uniform++
		}
	})
	assert.Positive(t, uniform, "all sets differ")
}
