"""Hostile files: small valid ones of every kind that is read, damaged in ways that are drawn.

A seed and a number make a case, the same on every machine with the same packages.
"""
