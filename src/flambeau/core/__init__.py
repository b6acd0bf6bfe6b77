"""Element types, devices, shapes, errors, settings: what every layer above uses."""
