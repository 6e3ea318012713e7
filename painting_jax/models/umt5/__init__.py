"""UMT5, the text encoder of Wan."""
