"""Predicts memory and speed of a training on machines that are not here."""
