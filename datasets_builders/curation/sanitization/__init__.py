"""Section 2.1, Figure 2, "security sanitization": personal data, secrets, toxic language."""
