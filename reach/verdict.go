package reach

// A Verdict is the answer to a Flow, with its reasons.
// The zero Verdict says denied.
type Verdict struct {
	Flow    Flow
	Allowed bool
}

// String explains v, one reason a line, the same way every time.
func (v Verdict) String() string { panic("todo") }
