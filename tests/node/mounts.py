"""Mounts below a folder: the kubelet and containerd leave some behind when they die, and they hold the folder."""

import os
import shutil
from pathlib import Path

from .shell import succeeds


def below(folder: Path) -> list[str]:
    """Mount points at or below a folder, the deepest (and last) first."""
    points = []
    with open("/proc/self/mounts") as table:
        for line in table:
            point = line.split()[1].encode().decode("unicode_escape")  # a space is written \040
            if point == str(folder) or point.startswith(f"{folder}/"):
                points.append(point)
    return points[::-1]


def unmount_below(folder: Path) -> None:
    for point in below(folder):
        if not succeeds("umount", point):
            succeeds("umount", "--lazy", point)


def remove(folder: Path) -> None:
    """Unmount and delete a folder; never crosses into a file system that would not unmount."""
    unmount_below(folder)
    if not below(folder) and os.path.lexists(folder):
        shutil.rmtree(folder)
