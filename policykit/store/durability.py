"""Whether a file outlives its container and a power cut: what file system it lies on."""

from __future__ import annotations

from typing import Final

#: Where a container's own layer or memory is thrown away (PITFALLS 27), or locks and syncs are not to be trusted.
_EPHEMERAL: Final = frozenset(("overlay", "overlayfs", "aufs", "tmpfs", "ramfs", "devtmpfs"))
_NETWORK: Final = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"))
_MOUNTS: Final = "/proc/self/mounts"


def file_system(path: str, mounts: str = _MOUNTS) -> str | None:
    """Return the type of the file system that holds an absolute path; None where the host does not tell."""
    try:
        with open(mounts, encoding="utf-8", errors="replace") as lines:
            entries = [line.split() for line in lines]
    except OSError:
        return None
    best, kind = "", None
    for entry in entries:
        if len(entry) < 3:
            continue
        point = entry[1].replace("\\040", " ")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, entry[2]
    return kind


def ephemeral(path: str, mounts: str = _MOUNTS) -> tuple[str, str] | None:
    """Return (reason code, message) when a store at `path` must not be trusted with increases."""
    kind = file_system(path, mounts)
    if kind in _EPHEMERAL:
        return "STORE_EPHEMERAL", f"{path} lies on {kind}, which forgets; put the store on a disk or a mounted volume"
    if kind in _NETWORK:
        return "STORE_EPHEMERAL", f"{path} lies on {kind}, a network file system; put the store on a local disk"
    return None
