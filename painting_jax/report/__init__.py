"""Pages that a person looks at: of an evaluation, and of a data set."""
