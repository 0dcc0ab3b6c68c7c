// Package failpoint names the moments on the path of a message at which a
// process may be killed, so that `kopir crashtest` can prove that none of them
// loses or doubles anything.
//
// In an ordinary build Here is empty and inlined, and Now is time.Now: nothing
// of this is in the program, which a test of cmd/kopir looks for. A build with
// the tag failpoint obeys the control file that the variable KOPIR_FAILPOINTS
// names: lines of "point:count" kill the process (SIGKILL, by itself) when it
// passes the point for the count-th time, "point:count:stop" stops it there
// (SIGSTOP), and "clock:+2h" sets its clock. The file may change at any time.
package failpoint

// Point is a moment on the path of a message.
type Point string

// The points, in the order of DESIGN.md, section 3.
const (
	MessageRead     Point = "message.read"
	MessageNew      Point = "message.new"
	MessageVerified Point = "message.verified"
	MessageJudged   Point = "message.judged"
	NumberReserved  Point = "number.reserved"
	CommitWritten   Point = "commit.written"
	CommitChained   Point = "commit.chained"
	CommitDone      Point = "commit.done"
	MessageKept     Point = "message.kept"
	MessageAnswered Point = "message.answered"

	Claimed      Point = "delivery.claimed"
	RowBefore    Point = "row.before"
	RowWritten   Point = "row.written"
	SendBefore   Point = "send.before"
	SendAsked    Point = "send.asked"
	SendAfter    Point = "send.after"
	RegistrySaid Point = "registry.said"
	Settled      Point = "delivery.settled"

	StatusSeen    Point = "status.seen"
	MoveDecided   Point = "move.decided"
	MoveDone      Point = "move.done"
	RequestBegun  Point = "request.begun"
	RequestDone   Point = "request.done"
	ResultKept    Point = "result.kept"
	SealSigned    Point = "checkpoint.signed"
	SealKept      Point = "checkpoint.kept"
	LeadTaken     Point = "lead.taken"
	LeasesFreed   Point = "leases.freed"
	MigrationDone Point = "migration.done"

	ArchiveFiled Point = "archive.filed"
	ArchiveDone  Point = "archive.done"
	RecordsFiled Point = "records.filed"
	RecordsMoved Point = "records.moved"
	EraseDone    Point = "erase.done"
)

// Row is a point with what has just happened there.
type Row struct {
	Point Point
	When  string
	Start bool // passed while a process starts
	Alone bool // passed on SQLite only
	Rare  bool // passed only when something went wrong before
	Aged  bool // passed by what is a year old: not in a trial, see TestKilledWhileArchiving
}

// Points lists them all.
func Points() []Row {
	return []Row{
		{Point: MigrationDone, When: "one step of the schema is made, others may follow", Start: true},
		{Point: LeasesFreed, When: "what a dead process had under way is free again", Start: true, Alone: true},
		{Point: LeadTaken, When: "this process leads the loops that only one may run", Start: true},
		{Point: MessageRead, When: "the envelope is read, nothing is judged"},
		{Point: MessageNew, When: "the message has not come before"},
		{Point: MessageVerified, When: "the system's signature is good"},
		{Point: NumberReserved, When: "a block of application numbers is taken"},
		{Point: MessageJudged, When: "the person's signature and every field are judged"},
		{Point: CommitWritten, When: "every row of the transaction is written, the chain of records is not"},
		{Point: CommitChained, When: "the transaction is complete and not committed"},
		{Point: CommitDone, When: "the transaction is committed, nobody knows yet"},
		{Point: MessageKept, When: "the application is kept, its sender has no answer"},
		{Point: MessageAnswered, When: "the answer is written to the connection"},
		{Point: Claimed, When: "deliveries are leased, none is tried"},
		{Point: RowBefore, When: "the local row is to be written"},
		{Point: RowWritten, When: "the local row is written, and not marked as delivered"},
		{Point: SendBefore, When: "the notice is signed and about to be sent"},
		{Point: SendAsked, When: "the gateway was asked what became of an earlier try", Rare: true},
		{Point: SendAfter, When: "the notice is taken, and not marked as delivered"},
		{Point: RegistrySaid, When: "a registry has answered, and nothing is kept"},
		{Point: Settled, When: "the outcome of a delivery is kept"},
		{Point: StatusSeen, When: "a status of the local database is seen, and not taken over"},
		{Point: MoveDecided, When: "a change of state is decided, and not kept"},
		{Point: MoveDone, When: "a change of state is kept, nobody was told"},
		{Point: RequestBegun, When: "an Idempotency-Key is claimed, nothing is done"},
		{Point: RequestDone, When: "what was asked for is done, the answer is not kept for its key"},
		{Point: ResultKept, When: "a signed result is kept"},
		{Point: SealSigned, When: "a checkpoint of the journal is signed, and not kept"},
		{Point: SealKept, When: "a checkpoint of the journal is kept"},
		{Point: ArchiveFiled, When: "the file of an application is on disk, its content still in the store", Aged: true},
		{Point: ArchiveDone, When: "an application is archived", Aged: true},
		{Point: RecordsFiled, When: "a file of records is on disk, and the store has them too", Aged: true},
		{Point: RecordsMoved, When: "the store has let go of the records of a file", Aged: true},
		{Point: EraseDone, When: "a key is destroyed, and what it opened is still a file", Aged: true},
	}
}
