"""Tuning sessions: what became of each, as it was applied and seen."""
