"""Mixing of paints: pigments, the theory of Kubelka and Munk, sets of paints, recipes."""
