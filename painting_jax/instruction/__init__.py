"""Instruction: a painted process as steps that a person can follow."""
