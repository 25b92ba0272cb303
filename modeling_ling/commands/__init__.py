"""The commands of `python -m modeling_ling`: what does not travel to the Hub."""
