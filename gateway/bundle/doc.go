// Package bundle makes and verifies evidence bundles: one file that holds all
// that is known of one application, and proves it to whoever has roots to trust
// and nothing else, no network and no database.
//
// A bundle is a container as ETSI EN 319 162-1 (ASiC-E with CAdES) describes:
//
//	mimetype                    first, stored
//	index.json                  what is here and where: every row of the application as it was recorded, the key of its digests
//	journal/chain.jsonl         its records in the chain, each up to the next checkpoint; of others' records the SHA-256 alone
//	messages/ verdicts/ …       the content of the rows, byte for byte
//	proofs/                     certificates, OCSP answers, lists on which verdicts relied; the service's description
//	META-INF/ASiCManifest.xml   the SHA-256 of every file
//	META-INF/signature.p7s      the bridge's signature over the manifest, with a time stamp
//
// It is written in one way only: nothing is compressed, names are in order, no
// date or comment stands in the container. Verify writes the container again
// from what it read and compares, so that not one byte can differ unseen.
//
// What is verified, in this order: the container, the seal over the manifest,
// the chain with its checkpoints, each row against the digest in its record, the
// description against the record of the configuration, each signature judged
// again at the time of its receipt with the enclosed answers about revocation,
// the history against the table of moves, what was sent.
package bundle
