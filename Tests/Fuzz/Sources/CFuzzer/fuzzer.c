// A target needs a source file; the declarations are in fuzzer.h.
