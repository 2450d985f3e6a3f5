// EndToEndTests: the built program, as outsiders meet it: real HTTP, real processes, a private PostgreSQL each.
//
// Every suite has a development server of its own (Development) under a home in /tmp, which is gone when the suite is,
// and at the latest half a second after the test process is. Sender is the HR system, Story the first chapters of the
// main job that several suites need, Wire a client that keeps to no protocol. What can be shown below the process stands
// in the tests of the target that owns it.

import Testing

/// One after the other: each starts servers of its own and most count on the machine.
@Suite(.serialized, .timeLimit(.minutes(8)))
enum EndToEnd {}
