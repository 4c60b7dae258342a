"""Airflow connections as what the rooms below take: the access to a cluster, a channel and its secret."""
