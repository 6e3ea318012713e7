"""Captions and prompts to what a model is conditioned on."""
