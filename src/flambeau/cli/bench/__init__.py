"""`flambeau bench`: programs of PyTorch's API, timed beside what the machine allows."""
