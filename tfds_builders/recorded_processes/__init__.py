"""Processes from recordings of people who paint."""
