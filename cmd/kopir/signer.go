package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"kopir/gateway/signer"
)

// signerFlags is what the command line says.
type signerFlags struct {
	addr, config, bundle              string
	trust, bundleKeys, crl, ocsp, tsa files
}

// runSigner serves NCANode's interface until it is told to stop.
// Exit status: 0 stopped as told, 1 it could not run, 2 wrong use.
func runSigner(ctx context.Context, args []string, s stdio) int {
	var o signerFlags
	flags := flag.NewFlagSet("signer", flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "", "listen on `HOST:PORT`; port 0 takes a free one (default 127.0.0.1:14579)")
	flags.StringVar(&o.config, "config", "", "configuration `FILE`: listen, proxy, trust, trust_bundle, revocation, tsa, limits, log")
	flags.Var(&o.trust, "trust", "file or folder of certificates, as of kopir verify: `PATH`. Repeatable; without a root nothing is valid")
	flags.StringVar(&o.bundle, "bundle", "", "`FILE` with a signed trust bundle, instead of -trust or beside it")
	flags.Var(&o.bundleKeys, "bundle-key", "`FINGERPRINT` of a key that may sign the bundle. Repeatable")
	flags.Var(&o.crl, "crl", "a stored revocation list: `FILE`. Repeatable; addresses are for the configuration")
	flags.Var(&o.ocsp, "ocsp", "a stored OCSP answer: `FILE`. Repeatable")
	flags.Var(&o.tsa, "tsa", "time stamp authority: `[POLICY=]URL`. Repeatable; without one nothing is stamped")
	flags.Usage = func() {
		usageOf(flags, "[flags] -trust PATH | -bundle FILE -bundle-key FINGERPRINT",
			"Serves NCANode's HTTP interface (version 3): /xml/sign, /xml/verify, /wsse/sign, /wsse/verify,",
			"/cms/sign, /cms/sign/add, /cms/verify, /cms/extract, /x509/info, /pkcs12/info, /pkcs12/aliases,",
			"/actuator/health.",
			"",
			"Requests carry PRIVATE KEYS AND THEIR PASSWORDS, in clear, and nobody is asked who he is. Leave it",
			"on the loopback address, or put something in front that encrypts and asks. Only the addresses of the",
			"configuration are ever called.",
			"")
	}
	if code, ok := parseFlags(flags, args, s); !ok {
		return code
	}
	if flags.NArg() > 0 {
		s.complain("signer: takes flags only, not %q", flags.Arg(0))
		return exitUsage
	}
	settings, faults := loadSigner(o)
	var options signer.Options
	if len(faults) == 0 {
		options, faults = settings.open()
	}
	if len(faults) > 0 {
		for _, f := range faults {
			fmt.Fprintln(s.err, f.format(nameOf(o.config)))
		}
		s.complain("signer: %d fault%s: not started", len(faults), plural(len(faults)))
		return exitUsage
	}
	log, err := newLog(settings.loaded, s.err)
	if err != nil {
		s.complain("signer: log: %v", err)
		return exitFailed
	}
	options.Log = log
	door, err := signer.New(options)
	if err != nil {
		s.complain("signer: %v", err)
		return exitFailed
	}
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		f := settings.listenFault(err)
		s.complain("signer: %s; %s", f.Problem, f.Remedy)
		return exitFailed
	}
	warnSigner(s, listener.Addr())
	fmt.Fprintf(s.out, "signer http://%s\n", listener.Addr())
	ctx, stop := context.WithCancel(ctx)
	refreshed := make(chan struct{})
	go func() {
		defer close(refreshed)
		options.Revocation.Run(ctx, func(authority string, err error) {
			if err != nil {
				log.Warn("revocation list not fetched", zap.String("authority", authority), zap.Error(err))
			}
		})
	}()
	err = door.Serve(ctx, listener, time.Duration(settings.c.Limits.Drain))
	stop()
	<-refreshed
	if err = cleanEnd(err); err != nil {
		s.complain("signer: %v", err)
		return exitFailed
	}
	return exitPassed
}

// nameOf is what faults are said of: the file, or the command line.
func nameOf(file string) string {
	if file == "" {
		return "kopir signer"
	}
	return file
}

// warnSigner says loudly that keys go over an open network.
func warnSigner(s stdio, at net.Addr) {
	address, err := netip.ParseAddrPort(at.String())
	if err == nil && address.Addr().Unmap().IsLoopback() {
		return
	}
	s.complain("signer: WARNING: %s can be reached from other machines. Requests carry private keys and passwords in clear, and nobody is asked who he is: put something in front that encrypts and asks, or listen on 127.0.0.1", at)
}
