// Package wsdl holds the contract of the e-government gateway (SyncChannel and
// AsyncChannel v10): three WSDLs and their schemas, embedded, and served with
// the address of whoever serves them.
//
// The files are the contract and are not edited. wsdl/shep holds what gowsdl
// v0.5.0 makes of them. Its messages are wrong on the wire (local elements in
// the wrapper's namespace, no xsi:type, no faults), so nothing sends or reads
// with it: it is the witness that gateway/soap's own types say what the
// contract says. AsyncChannelClient is not generated: both of its namespaces
// declare sendMessage, and the flat package that gowsdl makes of them does not
// compile. Its types are in the other two and in the schema files, which the
// same test reads.
//
// It follows WSDL 1.1, sections 2.7 and 3.8 (soap:address).
package wsdl

//go:generate go tool gowsdl -d shep -p sync -o types.go SyncChannel.wsdl
//go:generate go tool gowsdl -d shep -p async -o types.go AsyncChannel.wsdl
