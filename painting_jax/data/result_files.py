"""Names of the files that `generate` writes to the folder of a painted process."""

RECORD = "process.json"
MOVIE = "process.mp4"
ANIMATION = "process.webp"
SHEET = "contact_sheet.png"
REGIONS = "regions.png"
STEPS = "steps"  # folder of numbered pictures
TUTORIAL = "tutorial.html"
OUTLINE = "outline{}.svg"  # with "-A1" for a sheet of several
OUTLINE_PDF = "outline.pdf"
