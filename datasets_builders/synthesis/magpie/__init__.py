"""Section 2.4.1: instructions that an aligned model writes by itself, given the head of a user's turn alone."""
