"""Tasks: what an experiment trains."""
