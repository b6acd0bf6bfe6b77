"""`flambeau run | explain | demo | bench | doctor`: reading the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from flambeau.cli import demo, doctor, explain, run
from flambeau.cli.bench import command as bench
from flambeau.cli.bench.programs import ROWS

Command = Callable[[argparse.Namespace], int]


def _run(options: argparse.Namespace) -> int:
    return run.run_script(options.script, options.arguments, options.seed, numpy=options.numpy)


def _explain(options: argparse.Namespace) -> int:
    return explain.explain_script(
        options.script, options.arguments, options.graph, options.plan, overview=options.overview
    )


def _demo(options: argparse.Namespace) -> int:
    return demo.run_demo(options.output, options.examples)


def _bench(options: argparse.Namespace) -> int:
    return bench.run_bench(options.only, options.rounds)


def _doctor(options: argparse.Namespace) -> int:
    return doctor.examine()


def command_line() -> argparse.ArgumentParser:
    """What the command understands."""
    parser = argparse.ArgumentParser(prog="flambeau", description="PyTorch programs, compiled.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action: Command, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(action=action)
        return added

    runner = command("run", _run, "Run a PyTorch script as it stands, with flambeau as its torch.")
    runner.add_argument("--seed", type=int, help="seed Python's, NumPy's and flambeau's generators")
    runner.add_argument(
        "--numpy", action="store_true", help="let the script's own imports of numpy mean flambeau's"
    )
    runner.add_argument("script", type=Path, help="the program")
    runner.add_argument("arguments", nargs=argparse.REMAINDER, help="what the program is given")

    explained = command("explain", _explain, "Run a script, then say what it was compiled into.")
    kinds = ", ".join((*explain.TEXT, *explain.RENDERED))
    explained.add_argument(
        "--graph", type=Path, metavar="FILE", help=f"draw a plan's operations and kernels ({kinds})"
    )
    explained.add_argument(
        "--plan", type=int, metavar="N", help="which plan (default: that of most operations run)"
    )
    explained.add_argument(
        "--overview", action="store_true", help="draw a kernel as one box, without its operations"
    )
    explained.add_argument("script", type=Path, help="the program")
    explained.add_argument("arguments", nargs=argparse.REMAINDER, help="what the program is given")

    shown = command("demo", _demo, "Train on handwritten digits, then run the tutorial's programs.")
    output, examples = Path("demo_output"), demo.EXAMPLES
    shown.add_argument("--output", type=Path, default=output, help="where to put the picture")
    shown.add_argument("--examples", type=Path, default=examples, help="the tutorial's folder")

    timed = command("bench", _bench, "Time programs beside what this machine allows.")
    names, rounds = [row.name for row in ROWS], bench.ROUNDS
    timed.add_argument("--only", nargs="+", choices=names, metavar="ROW", help=", ".join(names))
    timed.add_argument("--rounds", type=int, default=rounds, help="measurements (%(default)s)")

    command("doctor", _doctor, "Say what this machine offers, and check that flambeau works on it.")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (default: the process's) ask for; its exit status."""
    options = command_line().parse_args(arguments)
    status: int = options.action(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
