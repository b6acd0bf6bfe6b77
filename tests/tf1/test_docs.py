"""The pages' snippets run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["tf1.md", "tf1.zh.md"])
def test_snippets(page, capsys):
    text = (DOCS / page).read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(snippet, {})
    assert capsys.readouterr().out == "[ 1. -2.  3.]\n"
