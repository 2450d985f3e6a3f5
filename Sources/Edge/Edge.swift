// Edge: what every HTTP door shares.
//
// It owns the socket side (`EdgeServer`, `EdgeLimits`, `ConnectionGuard`: every bound on bytes, fields, connections and
// time), the request side (`EdgeContext` with request id, trace and client address; `EdgeResponder`, through which each
// request passes exactly once), the answers (`EdgeError` and its problem form), and what doors have in common: strict
// JSON bodies, cursors, list queries, entity tags, idempotency keys, the bearer of a token. It also owns how the process
// is watched: JSON log lines, the Prometheus registry with its own small server, `/livez` and `/readyz`.
//
// Entrances: `EdgeServer.application` for App, `Router.edge()` for whoever mounts doors, `EdgeContext` for handlers.
// Elsewhere: what a caller may do is Domain, who a token is Storage, each protocol's own forms are its door's. Outgoing
// connections are Outbound's.
