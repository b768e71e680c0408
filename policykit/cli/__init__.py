"""The command line: one file a command, no logic.

A command file `NAME.py` has a click command or group called `command`; a file whose name would be a word of Python ends
in `_` (`import_.py`). What commands share stands in `_options`; this file stays empty so that
`--version` loads no click.
"""
