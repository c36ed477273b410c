"""What shows that the programme is right and fast, apart from its tests.

verify/  the oracle: recomputes everything from the source topics and compares
bench/   the measurements, and what they are compared with
"""
