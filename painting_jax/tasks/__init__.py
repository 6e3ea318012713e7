"""What an experiment trains."""
