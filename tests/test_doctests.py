"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import flambeau

# The names that a program would have imported.
GLOBALS = {
    "flambeau": flambeau,
    "torch": flambeau,
    "nn": flambeau.nn,
    "F": flambeau.nn.functional,
    "optim": flambeau.optim,
}
MODULES = ["flambeau"] + [
    found.name for found in pkgutil.walk_packages(flambeau.__path__, prefix="flambeau.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name: str) -> None:
    module = importlib.import_module(name)
    flambeau.manual_seed(0)
    failures, _ = doctest.testmod(
        module, extraglobs=GLOBALS, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert failures == 0
