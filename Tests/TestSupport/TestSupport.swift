// What tests of several targets need: the world outside as something local, and the program as somebody else runs it.
//
// LocalPeer is an HTTP server that answers by a script, however bad. Program runs the built binary.
