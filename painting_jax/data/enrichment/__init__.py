"""What networks add to the record of a recording: segments, caption, medium, and variants.

Each has a file. What is added without a network is what `enrichment` does by default.
"""
