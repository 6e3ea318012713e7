"""Processes of photos, painted by the project's own painter."""
