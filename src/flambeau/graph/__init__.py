"""The graph: nodes, ops, recordings, index arithmetic."""
