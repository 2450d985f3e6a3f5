// Postgres: libpq as Swift, without product words.
//
// Owns: connections that never block Swift's threads, statements whose values are always bound, rows that say where a
// value did not fit, transactions that cannot outlive their closure, the pool, LISTEN, the migrator, and a private
// PostgreSQL cluster for development and tests.
//
// Entrances: `PostgresPool` for everything a service does, `PostgresListener` and `Migrator` on a direct connection,
// `EmbeddedServer` where there is no database yet, `SQL` to write a statement.
//
// Every libpq call on a connection is made on an `EventLoop` thread, by the `Wire` actor that the thread executes.
// Calls of libpq and libc that can block (name resolution, PQcancel) run on `BlockingThreads`. This is the only target
// that uses `unsafe`, `@unchecked Sendable` and unstructured tasks; each use says why it holds.
//
// Lives elsewhere: every product statement (Storage) and the migration files (Migrations).
