"""Generates painting processes from pictures: painters, sampling overrides and output files."""
