"""From files to batches: the record, the pipeline, pictures, videos, and the painter."""
