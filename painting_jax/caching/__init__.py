"""Encoding a data set beforehand, so that training need not."""
