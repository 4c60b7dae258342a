"""What the long tests have counted; pytest's report shows it at its end."""

from collections import Counter

FIGURES: Counter[str] = Counter()
