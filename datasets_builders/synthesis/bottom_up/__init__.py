"""Section 2.4.2, Figure 4: from seeds to knowledge, to evolved knowledge, to problems, to answers."""
