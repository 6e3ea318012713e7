"""The studio: a page in the browser on which people have their pictures painted."""
