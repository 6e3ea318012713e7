"""The small pixel model: a Wan transformer whose tokens write layers of paint."""
