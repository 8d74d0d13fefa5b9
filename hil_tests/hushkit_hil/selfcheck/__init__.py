"""A tiny guest of known behaviour, to check the bench itself with: exact counts, exact samples, and ways to fail."""
