"""A painted process as something to paint along with or to paint on."""
