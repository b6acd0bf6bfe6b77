"""Draw the pictures of docs/tutorial.md: run the commands that the page gives, on its programs.

    python tools/tutorial_pictures.py

Needs graphviz's program `dot`.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

DOCS = Path(__file__).parents[1] / "docs"


def programs(page: str) -> dict[str, str]:
    """The programs of a page, by the file names in their first lines."""
    found = re.findall(r"```python\n(# (\w+\.py)\n.*?)```", page, re.DOTALL)
    return {name: text for text, name in found}


def commands(page: str) -> list[list[str]]:
    """What follows `flambeau` in the commands of a page that draw."""
    lines = re.findall(r"^flambeau (explain .*)$", page, re.MULTILINE)
    return [shlex.split(line) for line in lines if "--graph" in line]


def draw(page: str, pictures: Path) -> None:
    """Write the pictures that the page's commands make into a folder."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for program, text in programs(page).items():
            (folder / program).write_text(text, encoding="utf-8")
        for command in commands(page):
            whole = [sys.executable, "-m", "flambeau.cli.main", *command]
            subprocess.run(whole, cwd=folder, check=True)
        for picture in folder.glob("*.svg"):
            shutil.copy(picture, pictures)


if __name__ == "__main__":
    draw((DOCS / "tutorial.md").read_text(encoding="utf-8"), DOCS / "pictures")
