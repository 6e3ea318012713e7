"""What a painter takes to the easel: the outline to trace, and what goes with it."""
