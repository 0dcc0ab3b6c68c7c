package gateway

import "time"

// When to try again. Pure functions: the same history gives the same time.
const (
	maxRetry   = time.Hour          // between two tries
	maxPause   = 24 * time.Hour     // that a partner may ask for
	giveUp     = 3 * 24 * time.Hour // of trying, until a person must look
	firstAsk   = time.Minute        // about a held application
	maxAsk     = 15 * time.Minute   // revocation services come back within hours
	sendLease  = 5 * time.Minute    // longer than any send may take
	sendBudget = 90 * time.Second   // for one send

	// QuietAfter is how long a message of which nobody knows whether it arrived is
	// left alone before its receiver is asked: it may still be on its way, and
	// arrive after the answer that it did not.
	QuietAfter = 10 * time.Second

	// The local database is the body's own: it may be down over holidays, and its
	// rows should be there soon after.
	maxLocalRetry = time.Minute
	giveUpLocal   = 30 * 24 * time.Hour
)

// retryAfter is the pause after the tries-th failure: its fourth power in
// seconds, at most an hour, moved by up to a tenth so that what failed
// together is not tried together. id makes the jitter.
func retryAfter(tries int, id string) time.Duration {
	d := maxRetry
	if tries < 8 { // 8^4 s is more than an hour
		d = time.Duration(tries*tries*tries*tries) * time.Second
	}
	return jittered(d, id, tries)
}

func giveUpOn(r Route) time.Duration {
	if r == ToLocal {
		return giveUpLocal
	}
	return giveUp
}

// askAfter is the pause before the next question about a held application.
func askAfter(tries int) time.Duration {
	return min(firstAsk<<min(tries, 4), maxAsk)
}
