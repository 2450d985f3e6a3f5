#ifndef ROLLCALL_FUZZER_H
#define ROLLCALL_FUZZER_H

#include <stddef.h>
#include <stdint.h>

// libFuzzer's entrance for programs that have a main of their own (llvm.org/docs/LibFuzzer.html, "Using libFuzzer as a
// library"). The sanitizer's runtime defines it.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

#endif
