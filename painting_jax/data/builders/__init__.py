"""TFDS builders of painting processes, free of TensorFlow."""
