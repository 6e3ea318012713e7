"""Real recordings of people painting."""
