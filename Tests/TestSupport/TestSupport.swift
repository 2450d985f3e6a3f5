// What tests of several targets need: the world outside as something local, and the program as somebody else runs it.
//
// LocalPeer is an HTTP server that answers by a script, however bad. Program runs the built binary. StoreCluster and
// StoreFixture are a migrated database and what stands in it. TestCluster and TestDatabase are PostgreSQL without the
// product: a private cluster per test process or per test (which may kill it), and an empty database per test; all of it
// lies in /tmp and is cleared up when the process is gone, however it went.
