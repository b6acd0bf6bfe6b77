"""LLVM: building IR, and compiling it for this machine."""
