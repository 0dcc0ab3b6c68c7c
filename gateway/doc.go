// Package gateway holds the rules of the bridge: what happens to a message, in
// what order, and by when. It calls pure code (soap, signature, mappings)
// directly and meets the outside through the interfaces of bridge.go only.
//
// The story of one message, with the file of each step:
//
//  1. The door reads the bytes within a limit and calls Receive.     receive.go
//  2. The envelope is read strictly; its sender's id, password and
//     certificate are compared with the configuration.               partner.go
//  3. Seen before? The same bytes get the stored reply; other bytes
//     under the same id are a conflict.                              receive.go
//  4. The system's signature over the Body gets its verdict; what is
//     not signed does not exist from here on.                        receive.go
//  5. The person's signature inside data gets its own.               intake.go
//  6. Who signed is who applies, or may act for them.                identity.go
//  7. The mapping reads the fields, every fault at once.             intake.go
//  8. One Change holds everything that follows from the message: raw
//     bytes, verdicts, the numbered application, history, due times,
//     deliveries, the signed reply. The store takes it whole.        change.go
//  9. Deliveries leave in order, with the same message id at every
//     try, the first as soon as they are written (departure.go): the local row,
//     notifications to portal and service centre;                    outbox.go
//     questions to registries, whose answers may refuse.             registry.go
//  10. A person, the local database or a timer moves the application
//     on: the table of moves decides, and step 8 repeats.            state.go, move.go
//  11. Terms are counted, moved and counted again (deadline.go, suspend.go,
//     recount.go), warn and fall overdue, and are foreseen.           alarm.go, forecast.go
//
// A result is drafted for its official, and bound to its application when it
// comes back signed, in result.go; paper.go prints it and answers who verifies
// it; pickup.go is the register of those that are handed over in person.
//
// A withdrawal, a correction, a question or a status of a partner walks steps 1 to 7
// as an application does, and then moves the one that it is about: further.go.
//
// A message that the bridge fetched instead of having it pushed walks the same
// steps: fetch.go. The operations by which partners fetch messages and speak
// about them are in async.go; what a local system sets in its own database is followed in watch.go, its code lists are kept by codes.go;
// errors become typed faults by one table in answer.go; run.go holds the loops.
//
// An answer that could not be had (is the certificate revoked?) holds the
// application and is asked again; its legal clock runs.                held.go
package gateway
