"""Cleaning of recordings: from footage of a desk to the frames of the canvas alone.

Each step is one file. `cleaning` applies them in their order.
"""
