// Package sim is everybody whom the bridge talks to, in one process: the
// gateway (SyncChannel and AsyncChannel), the portal, the service centre, the
// register of natural persons and the certification and time-stamping authorities. Messages travel
// over real HTTP with real signatures; a control interface under /sim/ makes
// people apply, certificates lapse and partners misbehave. Test harnesses of
// other projects run it too, so that interface is documented (api.md, served at
// /sim/) and kept stable.
//
// Rules it keeps:
//
//   - It shares no code with the rules of the bridge: it may import envelopes
//     (gateway/soap), signatures and the service descriptions (mappings), never
//     package gateway. Forms are filled in, and answers found, by the descriptions.
//   - Citizens sign with goxmldsig, so that the bridge meets another hand than
//     its own on every application. With national keys, which goxmldsig does
//     not know, they sign with package signature, whose GOST signatures
//     OpenSSL's engine and Bouncy Castle check in its tests.
//   - Nobody in it is more lenient than the contract: the gateway refuses
//     unknown senders, wrong passwords and wrong signatures; portal and service
//     centre judge what they get and keep the verdict.
//   - It keeps everything in memory; a restart forgets applications and
//     revocations. Keys are sigtest's public ones unless fresh ones
//     are asked for: no system may trust them outside a test.
//
// What it follows: the SyncChannel and AsyncChannel contract v10 (ids,
// sessions, replacement of passwords, correlation, push and polling), the
// regulations' flows for portal and service centre, and package sigtest's
// sources for the authority.
package sim
