"""Section 2: builders of the datasets, run as `python -m datasets_builders BUILDER --config X.yaml`."""
