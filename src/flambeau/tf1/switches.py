"""What later versions of TensorFlow switch off to be TensorFlow 1, and its command-line frame."""

from __future__ import annotations

import logging as python_logging
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any


def disable_v2_behavior() -> None:
    """Accepted: there is only version 1's behaviour here."""


def disable_eager_execution() -> None:
    """Accepted: graphs are never run as they are built here."""


def executing_eagerly() -> bool:
    """Never."""
    return False


def run(
    main: Callable[[Sequence[str]], Any] | None = None, argv: Sequence[str] | None = None
) -> None:
    """Call `main` (default: the script's) with the command line, and exit with what it returns."""
    function = main or vars(sys.modules["__main__"])["main"]
    sys.exit(function(list(sys.argv if argv is None else argv)))


_logger = python_logging.getLogger("tensorflow")

app = SimpleNamespace(run=run)
logging = SimpleNamespace(
    DEBUG=python_logging.DEBUG,
    INFO=python_logging.INFO,
    WARN=python_logging.WARNING,
    ERROR=python_logging.ERROR,
    FATAL=python_logging.CRITICAL,
    debug=_logger.debug,
    info=_logger.info,
    warn=_logger.warning,
    warning=_logger.warning,
    error=_logger.error,
    set_verbosity=_logger.setLevel,
    get_verbosity=_logger.getEffectiveLevel,
)


class ConfigProto:
    """Accepted for `Session(config=...)`: nothing here needs to be set."""

    def __init__(self, **options: Any) -> None:
        self.gpu_options = SimpleNamespace()
        vars(self).update(options)


class GPUOptions:
    """Accepted for `ConfigProto(gpu_options=...)`."""

    def __init__(self, **options: Any) -> None:
        vars(self).update(options)
