"""TFDS builders of painting processes, without TensorFlow."""
