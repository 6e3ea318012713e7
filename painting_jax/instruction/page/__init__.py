"""The page of a tutorial."""
