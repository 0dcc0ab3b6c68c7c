package gateway

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"kopir/gateway/failpoint"
	"kopir/mappings"
)

// numberBlock is how many numbers are taken at once. What a process leaves of
// its block stays unused: a gap in the numbers, never one number twice.
const numberBlock = 50

// numbers hands out the numbers of applications, one sequence for each service
// and year.
type numbers struct {
	store Store
	mu    sync.Mutex
	left  map[string]block
}

type block struct{ next, end int64 }

func (n *numbers) take(ctx context.Context, sequence string) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.left[sequence]
	if b.next == b.end {
		first, err := n.store.Reserve(ctx, sequence, numberBlock)
		if err != nil {
			return 0, err
		}
		failpoint.Here(failpoint.NumberReserved)
		b = block{first, first + numberBlock}
	}
	got := b.next
	b.next++
	if n.left == nil {
		n.left = map[string]block{}
	}
	n.left[sequence] = b
	return got, nil
}

// number gives the next number of a service in the year of receipt.
func (b *Bridge) number(ctx context.Context, s *mappings.Service, at time.Time) (string, error) {
	year := strconv.Itoa(at.In(b.zone()).Year())
	n, err := b.numbers.take(ctx, s.ID+"/"+year)
	if err != nil {
		return "", err
	}
	return formatNumber(s.Numbering, year, n), nil
}

// formatNumber fills {year} and {seq}.
func formatNumber(f mappings.Numbering, year string, n int64) string {
	return strings.NewReplacer("{year}", year, "{seq}", fmt.Sprintf("%0*d", f.Digits, n)).Replace(f.Format)
}
