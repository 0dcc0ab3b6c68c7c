// Package soap turns envelopes of the gateway's SyncChannel and AsyncChannel
// (v10) into typed messages and typed messages into envelopes, for both ends of
// the wire and both directions.
//
// Rules it keeps:
//
//   - Reading works over signature/xmltree and never over re-written bytes. It
//     is liberal in what real partners were seen to do (order of elements,
//     empty optional elements, dates, session ids, the namespace of data) and
//     refuses everything else with the path of the fault: two of anything, an
//     unknown wrapper, a missing or unknown element, a value outside its list.
//   - Building is strict: what leaves is valid against wsdl/, or Build fails.
//   - The business document in data is handed on untouched. An escaped one is
//     returned as bytes for a parse of its own, a nested one as a node.
//   - Errors name places and expectations, never values: a value may be a
//     person's number or a password.
//
// It follows the schemas in wsdl/ (names, order, cardinality, enumerations,
// misspellings included), SOAP 1.1 sections 4 and 6 and WSS SOAP Message
// Security 1.1 section 4 (the id of the Body).
package soap
