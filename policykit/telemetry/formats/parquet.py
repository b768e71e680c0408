"""A Parquet file with the columns of `flat.COLUMNS`, for notebooks and warehouses; by the extra `parquet`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

from policykit.telemetry.formats import Entry
from policykit.telemetry.formats.flat import COLUMNS, cells

#: Rows that are held in memory, and that one row group has.
GROUP: Final = 10_000


def write(entries: Iterable[Entry], path: Path) -> None:
    """Write the file, a row group at a time. Raise ImportError where pyarrow is not installed."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.int64() if name == "seq" else pa.string()) for name in COLUMNS])
    rest = iter(entries)
    with parquet.ParquetWriter(path, schema, compression="zstd") as file:
        while rows := [cells(entry) for entry in islice(rest, GROUP)]:
            columns = zip(*rows, strict=True)
            arrays = [pa.array(list(values), field.type) for values, field in zip(columns, schema, strict=True)]
            file.write_table(pa.Table.from_arrays(arrays, schema=schema))
