"""Inception v3 of FID."""
