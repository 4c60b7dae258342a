"""D36 pipeline: a whole run, its result and its exit code."""
