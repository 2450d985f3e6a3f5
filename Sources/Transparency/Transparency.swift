// Transparency: what a stranger needs to check us, without trusting us or our database.
//
// Owns: the strict JSON value and its reader (`JSON.parse`), its writers (`JSON.text`, `JSON.canonical`), strict base64
// (`Base64`), salted disclosures of personal values (`Disclosure`); the Merkle tree of a log over tiles (`TileTree`,
// `TilePlan`, `EntryBundle`, `LogFile`) with its proofs (`InclusionProof`, `ConsistencyProof`); signed notes and what
// is made of them (`SignedCheckpoint`, `LogPolicy`, `LogProof`, `WitnessRequest`, `KeyEndorsement`); how the root log holds
// a checkpoint (`CheckpointAnchor`); time stamps (`TimestampRequest`, `TimestampToken`); what the leader of a log decides
// (`Sequencer`).
// Everything here is pure: bytes in, values out; no clock, no files, no network. The server and the offline verifier
// share it, so it imports nothing of ours.
//
// Lives elsewhere: what an audit entry says (Domain), keeping and publishing the log (AuditLog), SQL (Storage), reading
// an exported log from a directory (rollcall-verify).
