"""D35 alert: the incident that a person is notified of."""
