"""check.py NAME: runs one check of what is shipped, and prints what it objects to. Silence is a pass."""

import sys

import check_compose
import check_image

for module in (check_compose, check_image):
    if hasattr(module, sys.argv[1]):
        for objection in getattr(module, sys.argv[1])():
            print(objection)
        break
else:
    print(f"there is no check {sys.argv[1]}")
