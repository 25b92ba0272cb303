"""Section 2.3.3: notebooks, as scripts or as text, code and output in turn."""
