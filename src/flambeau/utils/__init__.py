"""`torch.utils`: another name for what lies elsewhere."""

from __future__ import annotations

from flambeau import data
