// Package client speaks SyncChannel and AsyncChannel to other systems: the
// e-government gateway, and through it the portal, the service centres and the
// registries. It gives the bridge its Sender and its registries.
//
// Rules it keeps:
//
//   - What was signed is what is sent, byte for byte, and the same message is
//     the same bytes at every try.
//   - An answer is believed when the peer signed it: its Body is read from the
//     bytes that were digested, and the signer is one of those configured for
//     the peer. A peer may be configured to answer unsigned; a signature that
//     is there must hold all the same.
//   - A failure says what is known of the message: that it was not sent, that
//     nobody can tell, or that the peer refused it, and whether sending it
//     again can help.
//   - Redirects are not followed, answers have a size limit, every exchange an
//     end. Addresses come from the configuration alone.
//   - Nothing is logged here, and no error quotes a message.
//
// It follows SOAP 1.1 section 6 (HTTP binding) and 4.4.1 (which faults may be
// tried again), the contract in wsdl/, and for the register of persons what
// its answers were seen to hold.
package client
