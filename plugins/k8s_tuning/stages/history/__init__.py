"""D34 history: one line a health check, and what they add up to."""
