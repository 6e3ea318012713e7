"""Names of the files that `generate` writes to the folder of a painted process."""

RECORD = "process.json"
MOVIE = "process.mp4"
ANIMATION = "process.webp"
SHEET = "contact_sheet.png"
REGIONS = "regions.png"
SEGMENTS = "segments.png"  # a person's own regions, as `generate --segments` takes them
STEPS = "steps"  # folder of numbered pictures
TUTORIAL = "tutorial.html"
OUTLINE = "outline{}.svg"  # with "-A1" for a sheet of several
OUTLINE_PDF = "outline.pdf"
