"""The page a person looks at after an evaluation."""
