package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"kopir/gateway"
)

// runOutbox shows and settles deliveries through the REST door of a running
// bridge, so that what is done is done under a name and kept.
// Exit status: 0 done, 1 the bridge refused or cannot be reached, 2 wrong use.
func runOutbox(ctx context.Context, args []string, s stdio) int {
	actions := map[string]func(context.Context, *outboxCall, stdio) error{"list": listOutbox, "groups": listGroups, "retry": retryOutbox, "drop": dropOutbox}
	if len(args) == 1 && isHelp(args[0]) {
		io.WriteString(s.out, "usage: kopir outbox list|groups|retry|drop [flags] [ID...]\n`kopir outbox list -h` and the like explain them.\n")
		return exitPassed
	}
	if len(args) == 0 || actions[args[0]] == nil {
		s.complain("outbox needs one of list, groups, retry, drop; `kopir outbox list -h` shows the flags")
		return exitUsage
	}
	c := &outboxCall{action: args[0]}
	f := flag.NewFlagSet("outbox "+c.action, flag.ContinueOnError)
	f.StringVar(&c.base, "url", "http://127.0.0.1:8080", "`ADDRESS` of the running bridge")
	keyFile := f.String("key-file", "", "`FILE` with the API key on its first line; default: the variable KOPIR_KEY")
	switch c.action {
	case "list":
		f.StringVar(&c.state, "state", "", "only `STATE`: queued, done, dead or dropped; default: queued and dead")
		f.StringVar(&c.application, "application", "", "only those of application `NUMBER`")
		f.BoolVar(&c.json, "json", false, "print JSON, one delivery a line")
	case "groups":
		f.BoolVar(&c.json, "json", false, "print JSON, one group a line")
	case "retry":
		c.groupFlags(f)
	case "drop":
		c.groupFlags(f)
		f.StringVar(&c.reason, "reason", "", "`WHY` it is given up; kept with the delivery")
	}
	f.Usage = func() {
		usageOf(f, map[string]string{"list": "[flags]", "groups": "[flags]", "retry": "[flags] ID... | -group GROUP [-dry-run]", "drop": "-reason WHY [flags] ID... | -group GROUP [-dry-run]"}[c.action],
			"Shows and settles deliveries through the REST door of a running bridge.")
	}
	if code, ok := parseFlags(f, args[1:], s); !ok {
		return code
	}
	c.ids = f.Args()
	if err := c.check(*keyFile, s.env); err != nil {
		s.complain("outbox %s: %s", c.action, err)
		return exitUsage
	}
	if err := actions[c.action](ctx, c, s); err != nil {
		s.complain("outbox %s: %s", c.action, err)
		return exitFailed
	}
	return exitPassed
}

// outboxCall is one call of the verb.
type outboxCall struct {
	action, base, key          string
	state, application, reason string
	group                      string
	json, dryRun               bool
	ids                        []string
}

func (c *outboxCall) check(keyFile string, env func(string) string) error {
	u, err := url.Parse(c.base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("-url %q is not an http or https address", c.base)
	}
	c.base = strings.TrimRight(c.base, "/") + "/api/v1/deliveries"
	c.key = env("KOPIR_KEY")
	if keyFile != "" {
		b, err := os.ReadFile(keyFile)
		if err != nil {
			return fmt.Errorf("-key-file %s: %s", keyFile, plainFileError(err))
		}
		line, _, _ := strings.Cut(string(b), "\n")
		c.key = strings.TrimSpace(line)
	}
	switch {
	case c.key == "":
		return errors.New("an API key is needed: -key-file FILE or the variable KOPIR_KEY")
	case c.action == "list" || c.action == "groups":
		if len(c.ids) > 0 {
			return fmt.Errorf("%s takes no arguments beside its flags", c.action)
		}
	case c.group != "" && len(c.ids) > 0:
		return errors.New("-group or ids, not both")
	case c.group == "" && c.dryRun:
		return errors.New("-dry-run goes with -group")
	case c.group == "" && len(c.ids) == 0:
		return errors.New("name the deliveries by their ids, as list shows them, or a -group, as groups shows them")
	case c.action == "drop" && c.reason == "" && !c.dryRun:
		return errors.New("-reason WHY is needed: it is kept with the delivery")
	}
	return nil
}

func listOutbox(ctx context.Context, c *outboxCall, s stdio) error {
	q := url.Values{"limit": {"200"}}
	if c.state != "" {
		q.Set("state", c.state)
	} else {
		q["state"] = []string{string(gateway.Queued), string(gateway.Dead)}
	}
	if c.application != "" {
		q.Set("application", c.application)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.json {
		fmt.Fprintln(table, "ID\tAPPLICATION\tROUTE\tSTATE\tTRIES\tNEXT\tPEER\tERROR")
	}
	for {
		b, err := c.call(ctx, "GET", c.base+"?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		var page gateway.DeliveryPage
		if err := json.Unmarshal(b, &page); err != nil {
			return fmt.Errorf("the answer is not that of a bridge: %w", err)
		}
		for _, d := range page.Deliveries {
			if c.json {
				line, err := json.Marshal(d)
				if err != nil {
					return err
				}
				fmt.Fprintf(s.out, "%s\n", line)
				continue
			}
			next := ""
			if d.State == gateway.Queued {
				next = d.NextAt.In(almaty()).Format(time.DateTime)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", d.ID, d.Application, d.Route, d.State, d.Tries, next, d.PeerState, d.Error)
		}
		if page.Next == "" {
			return table.Flush()
		}
		q.Set("cursor", page.Next)
	}
}

func retryOutbox(ctx context.Context, c *outboxCall, s stdio) error {
	if c.group != "" {
		return c.settleGroup(ctx, s)
	}
	return c.each(ctx, "retry", nil, s)
}

func dropOutbox(ctx context.Context, c *outboxCall, s stdio) error {
	if c.group != "" {
		return c.settleGroup(ctx, s)
	}
	body, err := json.Marshal(map[string]string{"reason": c.reason})
	if err != nil {
		return err
	}
	return c.each(ctx, "drop", body, s)
}

// each does the same to every delivery named and tells all that failed.
func (c *outboxCall) each(ctx context.Context, what string, body []byte, s stdio) error {
	var faults []error
	for _, id := range c.ids {
		if _, err := c.call(ctx, "POST", c.base+"/"+url.PathEscape(id)+"/"+what, body); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", id, err))
			continue
		}
		fmt.Fprintf(s.out, "%s %s\n", id, map[string]string{"retry": "will be tried now", "drop": "is given up"}[what])
	}
	return errors.Join(faults...)
}

func (c *outboxCall) call(ctx context.Context, method, address string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	r.Header.Set("Accept-Language", "en")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the bridge cannot be reached: %w", lastError(err))
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if a.StatusCode/100 == 2 {
		return b, nil
	}
	var problem struct{ Title, Detail string }
	if json.Unmarshal(b, &problem) != nil || problem.Title == "" {
		return nil, fmt.Errorf("the bridge answers %s", a.Status)
	}
	return nil, errors.New(strings.TrimSpace(problem.Title + " " + problem.Detail))
}
