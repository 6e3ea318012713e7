"""Measuring painting processes: which videos are compared with which, and what comes out."""
