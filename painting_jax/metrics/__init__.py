"""Metrics of painting processes: jitted, pure functions of arrays."""
