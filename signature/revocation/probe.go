package revocation

import (
	"context"
	"errors"
	"fmt"

	"kopir/signature/nuc"
)

// ProbeList fetches the list at an address and says what is wrong with it: nil
// when it reads, has not ended and is one of the issuers', by its signature.
// Nothing of it is kept. It is for checking a configuration.
func (c *Checker) ProbeList(ctx context.Context, url string, delta bool, issuers ...*nuc.Certificate) error {
	raw, err := c.get(ctx, url)
	if err != nil {
		return withoutAddress(err)
	}
	l, err := ParseCRL(raw)
	if err != nil {
		return err
	}
	now := c.o.Now()
	if !l.NextUpdate.IsZero() && now.After(l.NextUpdate) {
		return fmt.Errorf("%s ended on %s", l, l.NextUpdate.Format("2006-01-02 15:04"))
	}
	err = errors.New("there is no authority whose list it could be")
	for _, issuer := range issuers {
		if err = usable(l, issuer, delta, now); err == nil {
			return nil
		}
	}
	return err
}

// ProbeResponder asks one address about a certificate: nil when its answer can
// be believed, whatever it says.
func (c *Checker) ProbeResponder(ctx context.Context, url string, leaf, issuer *nuc.Certificate) error {
	if _, problem, _ := c.query(ctx, url, leaf, issuer); problem != nil {
		return errors.New(problem.Detail)
	}
	return nil
}
