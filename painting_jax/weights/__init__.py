"""Published weights into our modules: from packages, from other libraries' files."""
