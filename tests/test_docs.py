"""The pages: alike in both languages, with links that lead somewhere and names that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import flambeau

ROOT = Path(__file__).parents[1]
# Written for who changes flambeau, in English only.
INTERNAL = {"decisions.md"}
PAGES = [*ROOT.glob("README*.md"), *sorted((ROOT / "docs").glob("*.md"))]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code(page: Path) -> list[str]:
    """The blocks of code, without their comments."""
    blocks = re.findall(r"^```(\w+\n.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)
    return [re.sub(r" *#.*", "", block) for block in blocks]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_come_in_two_languages(page: Path) -> None:
    if page.name in INTERNAL:
        return
    name = page.name.removesuffix(".md").removesuffix(".zh")
    english, chinese = page.with_name(f"{name}.md"), page.with_name(f"{name}.zh.md")
    assert english.exists()
    assert chinese.exists()
    assert f"]({chinese.name})" in text_of(english)
    assert f"]({english.name})" in text_of(chinese)
    assert code(english) == code(chinese)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_exist(page: Path) -> None:
    for path in re.findall(r"`flambeau\.(\w+(?:\.\w+)*)", text_of(page)):
        found: object = flambeau
        known = "flambeau"
        for part in path.split("."):
            known = f"{known}.{part}"
            if not hasattr(found, part):
                importlib.import_module(known)
            found = getattr(found, part)
