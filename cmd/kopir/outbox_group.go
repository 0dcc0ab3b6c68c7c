package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"text/tabwriter"
	"time"

	"kopir/gateway"
)

func (c *outboxCall) groupFlags(f *flag.FlagSet) {
	f.StringVar(&c.group, "group", "", "all dead letters of one cause: `GROUP` as `kopir outbox groups` shows it")
	f.BoolVar(&c.dryRun, "dry-run", false, "with -group: show what would be done, and do nothing")
}

// remedies say what people do about a cause.
var remedies = map[gateway.Cause]string{
	gateway.CauseUnreachable: "see that the peer's address is right and can be reached; then retry",
	gateway.CauseTimeout:     "ask the peer's operator why it does not answer; then retry",
	gateway.CauseUnavailable: "ask the peer's operator when it is back; then retry",
	gateway.CauseBusy:        "the peer asked to be left alone for longer than we try; retry",
	gateway.CauseFault:       "ask the peer's operator about the code; retry when it is mended",
	gateway.CauseRefused:     "the peer will not take these as they are: mend what the code names, then retry; or drop with the reason",
	gateway.CauseUndelivered: "the gateway could not deliver them: ask its operator; then retry",
	gateway.CauseUnreadable:  "what answers there is not the peer's service: compare the address; then retry",
	gateway.CauseUnbelieved:  "compare the peer's certificates and BINs with the configuration; then retry",
	gateway.CausePending:     "the person never answered: ask by other means, then drop with that reason",
	gateway.CauseOurs:        "load the description, key or way out that is missing (the error of one tells which); then retry",
	gateway.CauseDefect:      "the log has the stack: report it; with the version that mends it, retry",
	gateway.CauseUnknown:     "look at one of them with kopir outbox list",
}

// listGroups shows the dead letters by cause.
func listGroups(ctx context.Context, c *outboxCall, s stdio) error {
	b, err := c.call(ctx, "GET", c.base+"/groups", nil)
	if err != nil {
		return err
	}
	var page struct{ Groups []gateway.DeadGroup }
	if err := json.Unmarshal(b, &page); err != nil {
		return fmt.Errorf("the answer is not that of a bridge: %w", err)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.json {
		fmt.Fprintln(table, "GROUP\tDEAD\tBEHIND\tFIRST\tLAST\tWHAT TO DO")
	}
	for _, g := range page.Groups {
		if c.json {
			line, err := json.Marshal(g)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s\n", line)
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\n", g.ID, g.Count, g.Behind, g.Oldest.In(almaty()).Format(time.DateTime), g.Newest.In(almaty()).Format(time.DateTime), remedies[g.Cause])
	}
	return table.Flush()
}

// settleGroup settles what is dead at the first call, some thousand in each;
// what dies again meanwhile is left for another time.
func (c *outboxCall) settleGroup(ctx context.Context, s stdio) error {
	ask := map[string]any{"group": c.group, "dry_run": c.dryRun}
	if c.reason != "" {
		ask["reason"] = c.reason
	}
	done := map[string]string{"retry": "will be tried now", "drop": "are given up"}[c.action]
	for total := int64(0); ; {
		body, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		b, err := c.call(ctx, "POST", c.base+"/groups/"+c.action, body)
		if err != nil {
			return err
		}
		var got gateway.GroupSettled
		if err := json.Unmarshal(b, &got); err != nil {
			return fmt.Errorf("the answer is not that of a bridge: %w", err)
		}
		if c.dryRun {
			fmt.Fprintf(s.out, "%d deliveries would be concerned; %d more of the same applications follow, each in its order. The first:\n", got.Left, got.Behind)
			for _, d := range got.Deliveries {
				fmt.Fprintf(s.out, "%s  %s  message %s, tried %d times\n", d.ID, d.Application, d.MessageID, d.Tries)
			}
			return nil
		}
		total += got.Count
		fmt.Fprintf(s.out, "%d deliveries %s, %d are left\n", total, done, got.Left)
		if got.Left == 0 || got.Count == 0 {
			return nil
		}
		ask["by"] = got.By
	}
}
