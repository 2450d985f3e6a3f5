// Everything of the target against real servers: rows and values, pipelines and transactions, cancellation, the pool,
// PgBouncer, TLS, several hosts, servers that are killed or restarted, LISTEN, the migrator, the private cluster.
