"""What waits in Airflow's triggerer, without a worker slot. No decisions beyond "is it over yet"."""
