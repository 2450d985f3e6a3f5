// Transparency: what a stranger needs to check us, without trusting us or our database.
//
// Owns: the strict JSON value and its reader (`JSON.parse`), its writers (`JSON.text`, `JSON.canonical`), the hashes of
// a Merkle tree (`MerkleHash`), salted disclosures of personal values (`Disclosure`), strict base64 (`Base64`).
// Everything here is pure: bytes in, values out; no clock, no files, no network. The server and the offline verifier
// share it, so it imports nothing of ours.
//
// Lives elsewhere: what an audit entry says (Domain), sequencing and signing of the log (AuditLog), SQL (Storage).
