"""What the plugin serves inside Airflow's API server."""
