"""Files of painting programs as the states of a canvas, from the first to the last.

Each module reads one kind of file. All give `states.States`.
"""
