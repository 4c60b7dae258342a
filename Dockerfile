# For the Astro CLI (`astro dev start`). docker-compose.yaml builds on the official image and does not use this file.
# The runtime's Airflow must be the one that requirements.txt pins.
FROM astrocrpublic.azurecr.io/runtime:3.3-8
