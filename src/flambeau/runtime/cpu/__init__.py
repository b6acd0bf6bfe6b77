"""Running programs on the CPU: the executor and its threads."""
