"""State, step, checkpoints and metric writers of a training run."""
