"""Photos, painted by the painter."""
