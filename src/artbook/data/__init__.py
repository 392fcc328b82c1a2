"""The corpora of the book: where each comes from, its licence, its checksum, and how it is loaded."""
