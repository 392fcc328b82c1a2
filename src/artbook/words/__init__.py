"""Text as numbers: vocabularies and windows for language models."""
