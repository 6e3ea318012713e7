"""How fast the parts are on this machine: `python -m benchmarks.main`."""
