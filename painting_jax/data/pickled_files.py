"""Names of a video's files in the layout in which Loomis Painter's authors evaluate."""

FRAMES = "frame_data.pkl"
PROGRESS = "frame_progress.pkl"
REFERENCE = "reference_frame.png"  # the finished picture
TAGS = "reference_frame_tags.pkl"  # of a tagging network
