"""The files in the folder of a painted process: what `generate` writes, other commands know."""

RECORD = "process.json"
MOVIE = "process.mp4"
ANIMATION = "process.webp"
SHEET = "contact_sheet.png"
STEPS = "steps"  # a folder of numbered pictures
