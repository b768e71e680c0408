"""What file system a store lies on, by the host's own list of mounts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from policykit.store.durability import ephemeral, file_system
from policykit.store.sqlite import SqliteStore

MOUNTS = """\
overlay / overlay rw,relatime 0 0
proc /proc proc rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
/dev/vda /var/lib ext4 rw 0 0
tmpfs /var/lib/cache tmpfs rw 0 0
/dev/vdb /mnt/my\\040disk xfs rw 0 0
nas:/x /mnt/nas nfs4 rw 0 0
bot@far:/x /mnt/far fuse.sshfs rw 0 0
/dev/vdc /over ext4 rw 0 0
tmpfs /over tmpfs rw 0 0
torn
"""


@pytest.fixture
def mounts(tmp_path: Path) -> str:
    """Return a file like /proc/self/mounts."""
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return str(path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/bot/store.db", "overlay"),
        ("/var/lib/policykit/store.db", "ext4"),
        ("/var/lib", "ext4"),
        ("/var/library/store.db", "overlay"),
        ("/var/lib/cache/store.db", "tmpfs"),
        ("/mnt/my disk/store.db", "xfs"),
        ("/over/store.db", "tmpfs"),
        ("/mnt/nas/store.db", "nfs4"),
    ],
)
def test_the_longest_mount_point_decides(mounts: str, path: str, kind: str) -> None:
    """Of two mounts on one point the later lies on top; a name that only begins alike is another folder."""
    assert file_system(path, mounts) == kind


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/srv/s.db", "/srv/s.db lies on overlay, which forgets; put the store on a disk or a mounted volume"),
        ("/dev/shm/s.db", "/dev/shm/s.db lies on tmpfs, which forgets; put the store on a disk or a mounted volume"),
        ("/mnt/nas/s.db", "/mnt/nas/s.db lies on nfs4, a network file system; put the store on a local disk"),
        ("/mnt/far/s.db", "/mnt/far/s.db lies on fuse.sshfs, a network file system; put the store on a local disk"),
    ],
)
def test_a_store_that_would_be_forgotten_is_told(mounts: str, path: str, message: str) -> None:
    """A container's own layer, memory and network file systems are STORE_EPHEMERAL, with what to do."""
    assert ephemeral(path, mounts) == ("STORE_EPHEMERAL", message)


def test_a_disk_is_fine_and_so_is_a_host_that_does_not_tell(mounts: str, tmp_path: Path) -> None:
    """Where there is no list of mounts nothing is known, and nothing is claimed."""
    assert ephemeral("/var/lib/store.db", mounts) is None
    assert ephemeral("/var/lib/store.db", str(tmp_path / "none")) is None
    assert file_system("/var/lib/store.db", str(tmp_path / "none")) is None
    (tmp_path / "empty").write_text("")
    assert file_system("/var/lib/store.db", str(tmp_path / "empty")) is None


def test_a_link_to_memory_is_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store is where its file really lies, whatever the path says."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\ntmpfs {tmp_path}/real tmpfs rw 0 0\n")
    monkeypatch.setattr("policykit.store.durability.ephemeral.__defaults__", (str(mounts),), raising=False)
    store = SqliteStore(tmp_path / "link" / "store.db")
    assert store.problem == (
        "STORE_EPHEMERAL",
        f"{tmp_path}/real/store.db lies on tmpfs, which forgets; put the store on a disk or a mounted volume",
    )


def test_a_store_on_this_machine_s_own_memory_is_told() -> None:
    """Not a list of mounts that was made up: /dev/shm, where it is one."""
    if file_system("/dev/shm/x") != "tmpfs":
        pytest.skip("this machine has no tmpfs at /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        store = SqliteStore(Path(folder) / "store.db")
        where = f"{folder}/store.db lies on tmpfs, which forgets; put the store on a disk or a mounted volume"
        assert store.problem == ("STORE_EPHEMERAL", where)
        store.close()
