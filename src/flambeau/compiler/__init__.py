"""From a recording to native code: schedule, kernel, LLVM."""
