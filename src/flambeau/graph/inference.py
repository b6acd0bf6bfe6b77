"""What a node's shape, dtype and device are, from its op and its inputs."""

from __future__ import annotations

from typing import Final

from flambeau.core import dtypes
from flambeau.core.context import context
from flambeau.graph.node import Node, Spec
from flambeau.graph.op import SCALAR

# Of a node that is about to be recorded, until its op has been asked.
TO_INFER: Final = Spec((), dtypes.float32, context.default_device)


def inferred(node: Node) -> Spec:
    """The node's spec; raises what PyTorch raises for inputs that the op refuses."""
    if node.spec is not TO_INFER:
        return node.spec
    op, inputs = node.op, node.inputs
    shape, kind = op.infer(*[one.spec for one in inputs], **op.named(node.attributes))
    devices = {one.spec.device for one in inputs if one.op is not SCALAR}
    if len(devices) > 1:
        names = " and ".join(sorted(map(str, devices)))
        raise RuntimeError(
            f"{op.name}: Expected all tensors to be on the same device, but found {names}"
        )
    where = devices.pop() if devices else context.default_device
    return Spec.of(tuple(shape), kind, where)
