"""Where a picture or a video comes from: an invisible mark in the frames, and metadata."""
