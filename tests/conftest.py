"""Every test runs with the compiler's stages checked."""

from __future__ import annotations

import os

import hypothesis

from flambeau.core.settings import settings

settings.verify = True
os.environ["FLAMBEAU_VERIFY"] = "1"  # for what tests start

# The first run of an example may compile; how long that takes is no property of the example.
hypothesis.settings.register_profile("flambeau", deadline=None, print_blob=True)
hypothesis.settings.load_profile("flambeau")
