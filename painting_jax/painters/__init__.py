"""What paints: each kind of model behind one protocol (`job.Painter`), as the verbs need it."""
