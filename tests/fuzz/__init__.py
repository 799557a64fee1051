"""Seeded cases of bad input: nothing may end in a traceback, a crash, a hang or an internal error.

python -m tests.fuzz --cases 20000
"""
