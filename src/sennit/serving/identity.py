"""Who the server is to the system: its user and group, and the file with its process id."""

import grp
import os
import pwd

from sennit.serving.settings import SettingError, Settings


class Identity:
    """A user and a group to become."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingError for names that the system doesn't know."""
        self.user = None if settings.user is None else _user(settings.user)
        self.group = None if settings.group is None else _group(settings.group)
        if self.user is not None and self.group is None:
            self.group = self.user.pw_gid

    def assume(self) -> None:
        """Become them, for good. Raises SettingError if the system doesn't allow it."""
        try:
            if self.group is not None and self.group != os.getegid():
                os.setgroups([] if self.user is None else os.getgrouplist(self.user.pw_name, self.group))
                os.setgid(self.group)
            if self.user is not None and self.user.pw_uid != os.geteuid():
                os.setuid(self.user.pw_uid)
        except OSError as error:
            raise SettingError(f"--user, --group: {error.strerror}; only root may change them") from None


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        raise SettingError(f"--user: there is no user {name!r}") from None


def _group(name: str) -> int:
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise SettingError(f"--group: there is no group {name!r}") from None


class ProcessFile:
    """The file with the process id, from `write` to `remove`."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._written = False

    def write(self) -> None:
        """Write it. Raises SettingError if it belongs to a process that lives, or can't be written."""
        try:
            with open(self._path, encoding="ascii") as file:
                other = int(file.read())
        except (OSError, ValueError):
            other = 0
        if other > 0 and other != os.getpid() and _lives(other):
            raise SettingError(f"--pid: {self._path} belongs to process {other}, which is running")
        try:
            with open(self._path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        except OSError as error:
            raise SettingError(f"--pid: can't write {self._path}: {error.strerror}") from None
        self._written = True

    def remove(self) -> None:
        """Remove it, if it was written."""
        if self._written:
            self._written = False
            try:
                os.unlink(self._path)
            except OSError:
                pass  # its directory is no longer ours, after a change of user; or somebody was quicker


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
