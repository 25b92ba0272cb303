"""The whole paper once, small and real, on a CPU."""
