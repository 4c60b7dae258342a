"""D35 alert: the incident that a person should hear of."""
