"""What the health page says, read from the files on the shared volume: no HTTP, no Airflow, nothing written.

`view_models` holds every answer. The history is kept in columns (`history_index`), the ledger as an index (`notices`);
each reads on from where it stopped, so that an answer costs the same at a thousand records and at a million.
"""
