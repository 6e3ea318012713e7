"""The device mesh and the rules by which arrays are sharded over it."""
