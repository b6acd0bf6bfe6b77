"""Memory, compiled kernels and what runs them; one folder per kind of device."""
