"""Kills, full disks, damaged files and concurrency, and what of docs/reliability.md they violate.

python -m tests.chaos --rounds 1 --seed 0
"""
