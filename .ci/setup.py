"""Make .venv and install the pinned, hash-checked requirements into it; quick and silent when nothing changed.

Runs under whatever `python3` the machine has, so it says clearly when that one is too old or has no venv;
it stays readable for old interpreters, so no f-strings.
"""

import hashlib
import os
import re
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 14)
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(TOP, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "policykit-setup.stamp")
LOG = os.path.join(VENV, "pip.log")
REQUIREMENTS = os.path.join(TOP, "requirements", "dev.txt")
NAMED = r"(?:No matching distribution found for|satisfies the requirement|Failed building wheel for) (\S+)"
TELLING = 3  # lines of pip's own error that are worth printing


def stop(message):
    """End with one line that says what to do."""
    sys.stderr.write("set-up: {}\n".format(message))
    sys.exit(2)


def wanted_stamp():
    """Return what .venv was made from: the pins, the build description and the interpreter."""
    digest = hashlib.sha256("{}.{}.{}".format(*sys.version_info[:3]).encode())
    for name in (REQUIREMENTS, os.path.join(TOP, "pyproject.toml")):
        with open(name, "rb") as handle:
            digest.update(handle.read())
    digest.update(TOP.encode())
    return digest.hexdigest()


def is_done(stamp):
    """Say whether .venv stands and was made from the same things."""
    if not os.path.exists(PYTHON) or not os.path.exists(STAMP):
        return False
    with open(STAMP) as handle:
        return handle.read() == stamp


def failed_package(lines):
    """Name the package that pip was at when it gave up, from pip's own output."""
    for line in lines:
        found = re.search(NAMED, line)
        if found:
            return found.group(1)
    for index, line in enumerate(lines):
        if "DO NOT MATCH THE HASHES" in line and index + 1 < len(lines):
            return lines[index + 1].strip().split(" ")[0]
    at = [line.split()[1] for line in lines if line.startswith("Collecting ") and len(line.split()) > 1]
    return at[-1] if at else "a package"


def pip(what, *arguments):
    """Run pip; on failure name the package and end. All of pip's own words are in .venv/pip.log."""
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"]
    with open(LOG, "a") as log:
        process = subprocess.Popen(
            command + list(arguments),
            cwd=TOP,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
        lines = []
        for line in process.stdout:
            log.write(line)
            lines.append(line.rstrip("\n"))
    if process.wait() != 0:
        errors = [line for line in lines if line.startswith("ERROR")][:TELLING]
        for line in errors:
            sys.stderr.write("  pip: {}\n".format(re.sub(r"\w+://\S+", "(address)", line)))
        stop(
            "{} failed at {}; check the network or the index pip is set to, then run the same command again "
            "(pip's own words: .venv/pip.log)".format(what, failed_package(lines))
        )


def main():
    """Set up, or do nothing."""
    if sys.version_info[:2] < OLDEST:
        stop(
            "python3 is {}.{}; 3.11 to 3.14 is needed; install one and run: make PYTHON=python3.12 ...".format(
                *sys.version_info[:2]
            )
        )
    if sys.version_info[:2] > NEWEST:
        sys.stderr.write("set-up: python3 is newer than 3.14; policykit is tested with 3.11 to 3.14\n")
    stamp = wanted_stamp()
    if is_done(stamp):
        return
    print("set-up: making .venv with Python {}.{}.{}".format(*sys.version_info[:3]), flush=True)
    if os.path.exists(STAMP):
        os.remove(STAMP)
    if subprocess.call([sys.executable, "-m", "venv", VENV]) != 0:
        stop("python3 -m venv failed; install the venv module of your Python (Debian: apt install python3-venv)")
    with open(REQUIREMENTS) as handle:
        count = sum(1 for line in handle if re.match(r"[A-Za-z0-9]", line))
    print("set-up: installing {} pinned packages, each checked by its hash".format(count), flush=True)
    pip("installing requirements/dev.txt", "--require-hashes", "-r", REQUIREMENTS)
    pip("installing policykit itself", "--no-deps", "--no-build-isolation", "-e", TOP)
    with open(STAMP, "w") as handle:
        handle.write(stamp)
    print("set-up: done", flush=True)


if __name__ == "__main__":
    main()
