"""Section 2.3.3: pull requests and issues from GH Archive."""
