"""Sections 2.1 and 2.3: small models that judge data as a larger one did: classifiers, scorers, reward models."""
