"""Section 2.2.1: imported by the process from which workers are forked: it makes ready what licences are told by.

Each worker would read the SPDX texts anew, which takes a sixth of a second.
"""

from datasets_builders.sources.license_texts import build_index

build_index()
