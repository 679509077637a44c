package rescue

// Verdict says what becomes of a segment that no socket of this host is for, and why.
type Verdict uint8

// The verdicts. Of the first two the owner is known, by one of the next two segments are dropped and come again, and the kernel
// answers the others with a reset, as it would without the rescue.
const (
	// Marked goes to the node that its timestamp names.
	Marked Verdict = iota
	// Found goes to the node that has answered a question.
	Found

	// Asked is dropped: a question for its owner is under way.
	Asked
	// Limited is dropped: more than may be sent to one node, or asked, in all or for one network of clients.
	Limited

	// Lost is of a connection that this node had, and has no more.
	Lost
	// DeadOwner is of a node that is known to be dead.
	DeadOwner
	// Unclaimed is of a connection that no node has.
	Unclaimed

	// Odd isn't a segment; it is dropped.
	Odd
	verdicts // how many there are
)

var verdictNames = [verdicts]string{
	Marked: "marked", Found: "found", Asked: "asked", Limited: "limited", Lost: "lost", DeadOwner: "dead_owner",
	Unclaimed: "unclaimed", Odd: "odd",
}

// String is the value of the metric's label.
func (v Verdict) String() string {
	if v >= verdicts {
		return "unknown"
	}
	return verdictNames[v]
}

// refused says whether the kernel is to answer.
func (v Verdict) refused() bool { return v == Lost || v == DeadOwner || v == Unclaimed }
