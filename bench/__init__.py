"""Each row of SPEED, measured side by side: goal, ratio, met or not. `make bench` runs all, `python -m bench X` one."""
