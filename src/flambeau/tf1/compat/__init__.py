"""`tf.compat`: TensorFlow 1 under the name that later versions give it, and text conversions."""

from __future__ import annotations


def as_bytes(bytes_or_text: str | bytes, encoding: str = "utf-8") -> bytes:
    """The text encoded; bytes as they are."""
    return bytes_or_text.encode(encoding) if isinstance(bytes_or_text, str) else bytes_or_text


def as_text(bytes_or_text: str | bytes, encoding: str = "utf-8") -> str:
    """The bytes decoded; text as it is."""
    return bytes_or_text.decode(encoding) if isinstance(bytes_or_text, bytes) else bytes_or_text


as_str = as_text
