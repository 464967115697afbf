"""What the system refused, and what to do about it."""

import errno

_CAUSES = {
    errno.ENOSPC: "Free some space there, or choose another folder.",
    errno.EDQUOT: "Your share of the disk is used up: free some of it, or choose another folder.",
    errno.EACCES: "Change the permissions, or choose another place.",
    errno.EPERM: "Change the permissions, or choose another place.",
    errno.EROFS: "Nothing can be written there: choose another folder.",
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "A part of the path is a file: check the path.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "The links of the path lead in a circle.",
    errno.EMFILE: "Too many files are open: close other programs, or raise the limit (ulimit -n).",
    errno.ENFILE: "Too many files are open: close other programs.",
    errno.EIO: "The disk or drive could not be read or written.",
}
"""What to do about an error of the system; where nothing is known, nothing is said."""


def described(error: OSError) -> str:
    """Return what the system refused, where, and what to do about that cause."""
    place = next((str(name) for name in (error.filename2, error.filename) if name is not None), "")
    what = error.strerror or str(error) or type(error).__name__
    advice = _CAUSES.get(error.errno or 0, "")
    return " ".join(f"{place + ': ' if place else ''}{what.rstrip('.')}. {advice}".split())
