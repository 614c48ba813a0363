"""Unpack an archive into a folder that is either whole or absent."""

import pathlib
import shutil
import zipfile
import zlib

from transplant.atomic import atomic_directory, remove_leftovers
from transplant.errors import DataError

_MIB = 1 << 20


def unpack(archive, folder, log=print):
    """Unpack an archive's files side by side into a folder, which is whole or absent.

    Folders inside the archive are left out, so no file can land elsewhere. A
    folder that is there is kept.

    Raises:
        DataError: if the archive is damaged, or the disk too small.
    """
    folder = pathlib.Path(folder)
    remove_leftovers(folder.parent)
    if folder.is_dir():
        return
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder.parent).free
            log(f"unpacking {len(members)} files, {needed / _MIB:,.0f} MiB, into {folder}")
            if needed > 0.95 * free:
                raise DataError(
                    f"{folder}: unpacking needs {needed / 2**30:,.1f} GiB. Received: a disk with "
                    f"{free / 2**30:,.1f} GiB free; free space or choose another folder"
                )
            with atomic_directory(folder) as temporary:
                for member in members:
                    name = pathlib.PurePosixPath(member.filename.replace("\\", "/")).name
                    with packed.open(member) as source, open(temporary / name, "xb") as target:
                        shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, FileExistsError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{archive}: an archive of differently named files is needed. Received: {error}; remove it and run the "
            "same command again"
        ) from error
