"""D33 health: OK, WARN or ERROR of each Job, with the reasons."""
