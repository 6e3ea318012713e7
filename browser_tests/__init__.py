"""The studio in a browser, at the widths of a phone, a tablet and a desk; slower than `tests`."""
