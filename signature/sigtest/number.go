package sigtest

import (
	"fmt"
	"time"
)

// Number completes eleven digits to an IIN or BIN with the right check digit.
// It fails for the prefixes that the rule leaves without a number.
func Number(eleven string) (string, error) {
	if len(eleven) != 11 {
		return "", fmt.Errorf("sigtest: a number is made of 11 digits, got %d", len(eleven))
	}
	weigh := func(shift int) int {
		sum := 0
		for i, d := range eleven {
			sum += int(d-'0') * ((i+shift)%11 + 1)
		}
		return sum % 11
	}
	check := weigh(0)
	if check == 10 {
		check = weigh(2)
	}
	if check == 10 {
		return "", fmt.Errorf("sigtest: %s has no check digit and is never issued", eleven)
	}
	return eleven + string(rune('0'+check)), nil
}

// IIN gives the n-th test person's number: born 1980-01-01 plus n days, the
// next serial that has a check digit. Distinct for distinct n below 5 million.
func IIN(n int) string {
	born := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n%7000)
	for serial := n / 7000 * 10; ; serial++ {
		if s, err := Number(fmt.Sprintf("%s%d%04d", born.Format("060102"), 3+n%2, serial%10000)); err == nil {
			return s
		}
	}
}

// BIN gives the n-th test organisation's number: registered in 2001 plus n months.
func BIN(n int) string {
	registered := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, n%240, 0)
	for serial := n / 240; ; serial++ {
		if s, err := Number(fmt.Sprintf("%s40%05d", registered.Format("0601"), serial%100000)); err == nil {
			return s
		}
	}
}
