# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files so that a crash leaves the old content or the new one, with the owner, mode, ACL and label that belong to them."""

import contextlib
import errno
import fcntl
import grp
import hashlib
import os
import shutil
import stat
import struct
from typing import Callable, List, NamedTuple, Optional

ABSENT = ''

_NEW = '.aemops-new'
_ACL = 'system.posix_acl_access'
_LABEL = 'security.selinux'
_SELINUX = '/sys/fs/selinux/enforce'
# linux/fs.h: _IOR('f', 1, long), and the flags that it returns.
_GET_FLAGS = 0x80006601 | struct.calcsize('l') << 16
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20
# A rename onto a mount point fails with EBUSY, across file systems with EXDEV. A file may be writable in a read-only folder.
_NO_RENAME = (errno.EBUSY, errno.EXDEV)
_NO_NEW_FILE = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)

Label = Callable[[str], str]


class Obstacle(OSError):
    """A file that cannot be written; the text says why and what to do. advice: the next step, a sentence."""

    advice = ''


class Access(NamedTuple):
    """Mode and group of a new file. A file that exists keeps its own."""

    mode: int = 0o644
    group: str = ''


def read(path: str) -> Optional[bytes]:
    """Return the content of the file, or None if there is no file. Raises OSError if the file cannot be read."""
    try:
        with open(path, 'rb') as stream:
            return stream.read()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def fingerprint(content: Optional[bytes]) -> str:
    """Return the SHA-256 of the content in hexadecimal digits, or ABSENT if there is no file."""
    return ABSENT if content is None else hashlib.sha256(content).hexdigest()


def write(path: str, content: bytes, access: Optional[Access] = None, label: Optional[Label] = None,
          like: str = '', restores: bool = False) -> None:
    """Replace or create the file with one rename. It is on the disk when this returns. A link stays a link.

    If a rename cannot work (a bind mount, or a writable file in a read-only folder), the file is rewritten in place. The caller
    must then have a copy of its previous content on the disk. label: returns the default SELinux label of a path, or ''.
    like: a file whose owner, mode and ACL a new file gets, and without `label` its label too. restores: whether the content is the
    previous one, which is then also rewritten in place if the file system has no space for a new file. Raises OSError.
    """
    target = os.path.realpath(path)
    new = _new_name(target)
    try:
        _fill(new, content)
    except OSError as error:
        _discard(new)
        if error.errno not in _NO_NEW_FILE + (_FULL if restores else ()) or not os.path.exists(target):
            raise
        _rewrite(target, content)
        return
    try:
        _attributes(new, target, like, access or Access(), label)
        os.rename(new, target)
    except OSError as error:
        _discard(new)
        if error.errno not in _NO_RENAME:
            raise
        _rewrite(target, content)
        return
    except BaseException:
        _discard(new)
        raise
    sync_folder(os.path.dirname(target))


def discard_new(path: str) -> None:
    """Remove the new file that an interrupted write() has left beside the file. Raises OSError."""
    _discard(_new_name(os.path.realpath(path)))


def _new_name(target: str) -> str:
    return os.path.join(os.path.dirname(target), f'.{os.path.basename(target)}{_NEW}')


def _fill(new: str, content: bytes) -> None:
    """Write a new file that no other process has open or linked. An old one is removed first, not reused."""
    _discard(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, 'wb') as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _rewrite(target: str, content: bytes) -> None:
    """Rewrite the file in place, with the space for it reserved, and not truncated first: mixture() recognizes a crash."""
    descriptor = os.open(target, os.O_WRONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, 'wb') as stream:
        size = os.fstat(descriptor).st_size
        if len(content) > size:
            try:
                os.posix_fallocate(descriptor, size, len(content) - size)
            except OSError as error:
                if error.errno in _FULL:
                    os.ftruncate(descriptor, size)
                    raise
        stream.write(content)
        stream.flush()
        stream.truncate(len(content))
        os.fsync(stream.fileno())


def mixture(content: Optional[bytes], before: Optional[bytes], after: Optional[bytes]) -> bool:
    """Return whether a crash while `before` was rewritten in place to `after` can have left this content."""
    if content is None or before is None or after is None or \
            not min(len(before), len(after)) <= len(content) <= max(len(before), len(after)):
        return False
    padded = [each.ljust(len(content), b'\0') for each in (before, after)]
    return all(byte in (old, new, 0) for byte, old, new in zip(content, *padded))


def copy(path: str, kept: str) -> None:
    """Copy a file with its owner, mode, ACL and labels. The copy is on the disk when this returns. Raises OSError."""
    with open(path, 'rb') as stream:
        write(kept, stream.read(), like=os.path.realpath(path))


def remove(path: str) -> None:
    """Remove a file or a link, if it exists. The removal is on the disk when this returns. Raises OSError."""
    _discard(path)
    if os.path.isdir(os.path.dirname(path)):
        sync_folder(os.path.dirname(path))


def _discard(path: str) -> None:
    try:
        os.remove(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EROFS):
            raise


def make_folder(folder: str, mode: int = 0o755) -> List[str]:
    """Create the folder and its missing parents, regardless of the umask. Return the created ones, the outermost first."""
    if os.path.isdir(folder):
        return []
    made = make_folder(os.path.dirname(folder))
    os.mkdir(folder)
    os.chmod(folder, mode)
    sync_folder(os.path.dirname(folder))
    return made + [folder]


def sync_folder(folder: str) -> None:
    """Flush the folder to the disk, so that its entries survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:     # a file system, such as a shared folder, that only flushes files
            raise
    finally:
        os.close(descriptor)


# Attributes


def _attributes(new: str, target: str, model: str, access: Access, label: Optional[Label]) -> None:
    """Copy owner, mode, ACL and labels from the replaced file or the model; without either, set mode, group and label.

    A copy in another place has the default label of that place, if the policy tells it.
    """
    new_place = not os.path.exists(target)
    model = model if new_place else target
    if not model:
        _attributes_of_new(new, target, access, label)
        return
    like, made = os.stat(model), os.stat(new)
    # A file system without owners and modes, such as a shared folder, refuses to set even those that a file has.
    if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
        os.chown(new, like.st_uid, like.st_gid)
    if os.stat(new).st_mode != like.st_mode:
        os.chmod(new, stat.S_IMODE(like.st_mode))
    inherited, wanted = _xattrs(new), _xattrs(model)
    for name in wanted:
        try:
            os.setxattr(new, name, os.getxattr(model, name))
        except OSError:
            # Others are the kernel's own (security.evm) or those of a file system that cannot keep them.
            if name == _ACL:
                raise
    if _ACL in inherited and _ACL not in wanted:
        os.removexattr(new, _ACL)
        os.chmod(new, stat.S_IMODE(like.st_mode))
    if new_place:
        _set_label(new, label(target) if label else '')


def _xattrs(path: str) -> List[str]:
    try:
        return os.listxattr(path)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return []


def _attributes_of_new(new: str, target: str, access: Access, label: Optional[Label]) -> None:
    if access.group:
        with contextlib.suppress(KeyError, PermissionError):    # without the group, only root can read the file
            os.chown(new, -1, grp.getgrnam(access.group).gr_gid)
    os.chmod(new, access.mode)
    _set_label(new, label(target) if label else '')


def _set_label(path: str, label: str) -> None:
    if label:
        with contextlib.suppress(OSError):      # the file then keeps the label that the kernel derived from the folder
            os.setxattr(path, _LABEL, label.encode())


def selinux(root: str = '/') -> bool:
    """Return whether SELinux is enabled, in enforcing or permissive mode."""
    return os.path.exists(os.path.join(root, _SELINUX.lstrip('/')))


# Obstacles


def obstacle(path: str) -> str:
    """Return why this file cannot be written, and what to do; '' if nothing shows. Follows links and writes nothing."""
    # A missing folder is created later, which fails if a dangling link has its name.
    above = os.path.dirname(path)
    while above != os.path.dirname(above):
        if os.path.islink(above) and not os.path.exists(above):
            return f'{above} is a link to {os.readlink(above)}, which does not exist'
        above = os.path.dirname(above)
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    while not os.path.isdir(folder):
        if os.path.lexists(folder):
            return f'{folder} is not a folder'
        folder = os.path.dirname(folder)
    there = os.path.exists(target)
    if there and not os.path.isfile(target):
        return f'{target} is not a regular file'
    for place in ([target] if there else []) + [folder]:
        marks = flags(place)
        if marks & _IMMUTABLE:
            return f'{place} is immutable. Run "chattr -i {place}" if it may change'
        if marks & _APPEND_ONLY:
            return f'{place} is append-only. Run "chattr -a {place}" if it may change'
    if os.statvfs(target if there else folder).f_flag & os.ST_RDONLY:
        return f'{target if there else folder} is on a read-only file system. Remount it with "mount -o remount,rw"'
    return ''


def flags(path: str) -> int:
    """Return the flags of the inode (chattr); 0 if the file system has none or they cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        return int(struct.unpack('l', fcntl.ioctl(descriptor, _GET_FLAGS, b'\0' * struct.calcsize('l')))[0])
    except OSError:
        return 0
    finally:
        os.close(descriptor)


def default_label(target: str, ask: Callable[[List[str]], str]) -> str:
    """Return the label that the policy has for a path, '' without SELinux. ask: runs a command; returns its output, or ''."""
    if not selinux() or not shutil.which('matchpathcon', path='/usr/sbin:/usr/bin:/sbin:/bin'):
        return ''
    found = ask(['matchpathcon', '-n', target]).strip()
    return found if ':' in found and ' ' not in found else ''


def set_default_label(path: str, ask: Callable[[List[str]], str]) -> None:
    """Set the default label of a file that another program has created with the label of the folder."""
    _set_label(path, default_label(path, ask))
