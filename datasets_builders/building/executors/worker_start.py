"""Imported once by the process from which datatrove forks its workers, and by nothing else.

It ignores Ctrl-C there, which all workers inherit: the main process gets the same Ctrl-C, stops them and tells the
user what to do. Without this each worker would print a traceback of its own.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
