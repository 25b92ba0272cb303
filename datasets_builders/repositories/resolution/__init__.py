"""Section 2.2.2, phase 1: which files of the repository an import means, by path and by naming convention.

One module per family of languages; each says its rules, which are the evidence of an edge.
"""

from datasets_builders.repositories.resolution.resolver import Resolver
from datasets_builders.repositories.resolution.rules import Resolution

__all__ = ["Resolution", "Resolver"]
