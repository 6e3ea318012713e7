"""Text conditioning: captions and prompts to token ids or embeddings."""
