"""What the studio takes from a browser, and how much of it."""

# Bytes of a picture. The largest photos of phones and cameras have about half.
UPLOAD = 64 << 20
UPLOAD_WAIT = 30.0  # seconds without a byte after which an upload is given up
# Bytes and age in seconds of pictures that were uploaded and not painted yet.
UPLOADS = 4 << 30
UPLOAD_AGE = 24 * 3600.0
UPLOAD_FRESH = 3600.0  # younger ones are not removed to make room
JSON = 1 << 20  # bytes of a request in JSON
NAME = 120  # letters of a picture's name
PROMPT = 500  # letters
QUEUE = 40  # paintings that wait
STREAMS = 64  # browsers that are told of progress as it happens; more of them ask now and then
CONNECTIONS = 400  # at a time; more are told to come later
WORKS_A_PAGE = 60
SPARE = 64 << 20  # bytes of the disk that an upload leaves free

FRAMES = (2, 96)
STEPS = (1, 100)
SIZE = (32, 2048)  # longer side in pixels
VOLUME = 80_000_000  # frames times pixels of one: some gigabytes of memory while they are painted
EDITS = 48  # splits and merges of regions
SEED = 2**31 - 1
