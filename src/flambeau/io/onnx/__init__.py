"""From a graph to an ONNX model, as docs/graph_files.md tells. Needs the package onnx."""

try:
    import onnx as _onnx
except ImportError as error:
    raise ImportError(
        "ONNX files are written with the package onnx, which is not installed: "
        "pip install 'flambeau[onnx]'"
    ) from error
