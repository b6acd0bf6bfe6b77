"""The primitives: one class each, one file per family."""
