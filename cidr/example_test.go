package cidr_test

import (
	"fmt"
	"net/netip"

	"github.com/polreach/polreach/cidr"
)

func Example() {
	// Which of these blocks let an address in, and which addresses are alike?
	office, err := cidr.Parse("10.0.0.0/8", "10.1.0.0/16")
	if err != nil {
		fmt.Println(err)
		return
	}
	everyone, err := cidr.Parse("0.0.0.0/0")
	if err != nil {
		fmt.Println(err)
		return
	}
	p := cidr.NewPartition(office, everyone)
	c := p.Class(netip.MustParseAddr("10.7.0.1"))
	fmt.Println(p.In(c, 0), p.In(c, 1))
	for c := range cidr.Class(p.Len()) {
		fmt.Println(c, p.Addrs(c))
	}
	// Output:
	// true true
	// 0 0.0.0.0/0 except 10.0.0.0/8, 10.1.0.0/16
	// 1 10.0.0.0/8 except 10.1.0.0/16
	// 2 ::/0
}

func ExampleParse() {
	s, err := cidr.Parse("10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16")
	fmt.Println(s, err)

	_, err = cidr.Parse("10.0.0.0/8", "11.0.0.0/8")
	fmt.Println(err)

	_, err = cidr.Parse("10.0.0.1")
	fmt.Println(err)
	// Output:
	// 10.0.0.0/8 except 10.1.0.0/16 and 10.2.0.0/16 <nil>
	// 11.0.0.0/8 is not inside 10.0.0.0/8; an exception must be a part of its block, and smaller
	// "10.0.0.1" has no prefix length; write 10.0.0.1/32 for the one address
}

func ExampleParsePrefix() {
	for _, s := range []string{"10.0.0.7/24", "010.0.0.0/8", "::ffff:10.0.0.0/104"} {
		p, err := cidr.ParsePrefix(s)
		fmt.Println(p, err)
	}
	// Output:
	// 10.0.0.0/24 <nil>
	// 10.0.0.0/8 <nil>
	// 10.0.0.0/8 <nil>
}

func ExampleSet_Minus() {
	private := cidr.Of(
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("fc00::/7"),
	)
	all := cidr.Of(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
	public := all.Minus(private)
	fmt.Println(public)
	fmt.Println(public.Contains(netip.MustParseAddr("198.51.100.7")))
	fmt.Println(public.Contains(netip.MustParseAddr("192.168.0.7")))
	// Output:
	// 0.0.0.0/0 except 10.0.0.0/8 and 172.16.0.0/12 and 192.168.0.0/16, ::/0 except fc00::/7
	// true
	// false
}

func ExampleSet_Prefixes() {
	s, err := cidr.Parse("10.0.0.0/8", "10.64.0.0/10")
	if err != nil {
		fmt.Println(err)
		return
	}
	for p := range s.Prefixes() {
		fmt.Println(p)
	}
	// Output:
	// 10.0.0.0/10
	// 10.128.0.0/9
}

func ExamplePartition_Sets() {
	var sets []cidr.Set
	for _, block := range []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16"} {
		s, err := cidr.Parse(block)
		if err != nil {
			fmt.Println(err)
			return
		}
		sets = append(sets, s)
	}
	p := cidr.NewPartition(sets...)
	for i := range p.Sets(p.Class(netip.MustParseAddr("10.1.2.3"))) {
		fmt.Println("in set", i)
	}
	// Output:
	// in set 0
	// in set 1
	// in set 2
}
