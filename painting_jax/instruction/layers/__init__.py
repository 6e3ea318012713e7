"""A painted process as files of painting programs: a layer a step, or strokes."""
