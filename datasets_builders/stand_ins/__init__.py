"""Section 3.2, Table 1: small stand-ins for natural language and mathematics, for a real mixture in the small."""
