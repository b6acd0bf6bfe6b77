"""docs/tutorial.md: its programs print what the page says, its pictures show what they do."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import flambeau
from engine.graph_text import read
from flambeau import tf1
from flambeau.cli.explain import busiest
from flambeau.cli.imports import SCRIPT_ALONE, script_builtins
from flambeau.cli.main import command_line
from flambeau.engine.explain import PlanReport, explain

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TOOL = runpy.run_path(str(ROOT / "tools" / "tutorial_pictures.py"))
PAGE, CHINESE = (
    (DOCS / name).read_text(encoding="utf-8") for name in ("tutorial.md", "tutorial.zh.md")
)
PROGRAMS: dict[str, str] = TOOL["programs"](PAGE)
COMMANDS = {command[-1]: command_line().parse_args(command) for command in TOOL["commands"](PAGE)}
CAPTION = r"(\d+)[^\d\]]+(\d+)[^\d\]]*\]\((pictures/\w+\.svg)\)"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
# Steps whose plan is looked at: all but the data and the program in NumPy.
STEPS = [name for name in PROGRAMS if name not in ("daylight.py", "by_hand.py")]

# The plans of a program, and its names when it has ended.
Run = Callable[..., tuple[list[PlanReport], dict[str, Any]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a program of the page."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "daylight", raising=False)
    flambeau.flush()

    def run_one(name: str, **names: object) -> tuple[list[PlanReport], dict[str, Any]]:
        with tf1.Graph().as_default(), explain() as found:
            names = runpy.run_path(str(tmp_path / name), names, run_name="__main__")
            flambeau.flush()
        return found.plans, names

    yield run_one
    sys.modules.pop("daylight", None)


def outputs() -> dict[str, str]:
    """What each program prints, as the page says."""
    found, last = {}, ""
    for kind, text in BLOCK.findall(PAGE):
        if kind == "python":
            last = text.splitlines()[0].removeprefix("# ")
        elif kind == "text":
            found[last] = text
    return found


def agree(printed: str, said: str) -> bool:
    """Whether words are equal, and numbers within one of the last digit that is printed."""
    pairs = list(zip(printed.split(), said.split(), strict=True))
    return all(a == b or close(a, b) for a, b in pairs)


def close(printed: str, said: str) -> bool:
    numbers = [re.fullmatch(r"\d+\.(\d+)", one) for one in (printed, said)]
    if not all(numbers):
        return False
    places = {len(one[1]) for one in numbers}
    return len(places) == 1 and abs(float(printed) - float(said)) < 1.5 * 10 ** -places.pop()


def test_both_languages_have_the_same_blocks_pictures_and_numbers() -> None:
    assert BLOCK.findall(PAGE) == BLOCK.findall(CHINESE)
    for what in (r"^##", CAPTION, r"^\| `(\w+\.py)`[^|]* \| (\d+) \| (\d+) \|"):
        assert re.findall(what, PAGE, re.M) == re.findall(what, CHINESE, re.M) != []
    pictures = set(re.findall(r"\]\((pictures/\w+\.svg)\)", PAGE))
    assert {f"pictures/{one.graph}" for one in COMMANDS.values()} == pictures
    assert {f"pictures/{one.name}" for one in (DOCS / "pictures").iterdir()} == pictures


@pytest.mark.parametrize("name", outputs())
def test_programs_print_what_the_page_says(name: str, run: Run, capsys) -> None:
    plans, _ = run(name)
    assert agree(capsys.readouterr().out, outputs()[name])
    if name in STEPS:
        plan = plans[busiest(plans) - 1]
        row = rf"^\| `{name}`[^|]* \| {plan.recorded} \| {len(plan.kernels)} \|"
        assert re.search(row, PAGE, re.M), (plan.recorded, len(plan.kernels))
    if name in COMMANDS:
        command = COMMANDS[name]
        number = command.plan or busiest(plans)
        graph = read(plans[number - 1].graph(command.overview))
        drawn = read_svg(DOCS / "pictures" / command.graph)
        assert drawn == (without_times(graph.labels), graph.edges), "make pictures draws it anew"
        counts = (str(plans[number - 1].recorded), str(len(plans[number - 1].kernels)))
        assert (*counts, f"pictures/{command.graph}") in re.findall(CAPTION, PAGE)


def test_every_block_of_output_is_checked() -> None:
    assert set(outputs()) == set(PROGRAMS) - {"daylight.py"}
    assert sum(kind == "text" for kind, _ in BLOCK.findall(PAGE)) == len(outputs())


def test_a_wrong_number_is_noticed() -> None:
    assert agree("0.1033 True", "0.1034 True")
    assert not agree("0.1033 True", "0.1035 True")
    assert not agree("0.1033 True", "0.1033 False")


def test_the_program_by_hand_on_our_arrays(run: Run, capsys) -> None:
    plans, _ = run("by_hand.py", __builtins__=script_builtins(SCRIPT_ALONE))
    assert agree(capsys.readouterr().out, outputs()["by_hand.py"])
    assert plans


def test_the_static_graph_is_the_recorded_one(run: Run) -> None:
    def shape_and_losses(name: str) -> tuple[object, ...]:
        plans, names = run(name)
        graph = read(plans[busiest(plans) - 1].graph())
        return graph.ops(), graph.links(), [float(loss) for loss in names["losses"]]

    assert shape_and_losses("gradients.py") == shape_and_losses("static_graph.py")


def test_each_depth_has_one_plan(run: Run) -> None:
    plans, _ = run("shared_weights.py")
    assert len(plans) == 6
    assert sum(plan.runs for plan in plans) == 501
    assert sum(plan.runs > 1 for plan in plans) == 4


Labels = dict[str, list[str]]


def read_svg(path: Path) -> tuple[Labels, dict[tuple[str, str], str]]:
    """The boxes and edges of a picture that graphviz has rendered."""
    labels: Labels = {}
    edges = {}
    for group in ET.parse(path).iter("{http://www.w3.org/2000/svg}g"):
        title = group.findtext("{*}title", "")
        texts = [one.text or "" for one in group.findall("{*}text")]
        if group.get("class") == "node":
            labels[title] = texts
        elif group.get("class") == "edge":
            start, _, end = title.partition("->")
            edges[start, end] = "".join(texts)
    return without_times(labels), edges


def without_times(labels: Labels) -> Labels:
    return {
        name: [re.sub(r"^\d+\.\d µs, ", "", one) for one in lines] for name, lines in labels.items()
    }
