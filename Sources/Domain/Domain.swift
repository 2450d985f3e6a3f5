// What the product means: values and pure rules. Nothing here waits for anything outside, reads a clock or touches a
// socket; time and randomness are handed in. (Verifying a token is asynchronous, because the library is.)
//
// Identity: ids of every noun. Time: instants, dates without a zone, durations. People, Events, Mapping: what an HR
// system says about whom. Signing: how it proves that it said so. Provisioning: which changes follow (the planner).
// Access: scopes, roles, addresses, tokens and the check of a caller. Audit: the leaf. Secrets: the keyring.
//
// Rows live in Storage, under the same nouns; wire forms live in the doors.
