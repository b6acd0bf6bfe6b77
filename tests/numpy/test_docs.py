"""The examples of docs/numpy.md run and print what the page says, in both languages."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["numpy.md", "numpy.zh.md"])
def test_examples(page: str) -> None:
    failures, tried = doctest.testfile(str(DOCS / page), module_relative=False, encoding="utf-8")
    assert tried > 10
    assert not failures
