"""Films of painting with known ground truth, and how well cleaning restores the canvas."""
