"""What runs on this machine, read from /proc."""

import os


def marked(mark):
    """Processes whose environment or command line contains `mark`: {pid: command line}.

    Zombies do not count: they run nothing and hold nothing.
    """
    found = {}
    needle = mark.encode()
    for name in os.listdir('/proc'):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        command = _read(f'/proc/{name}/cmdline')
        if needle in command or needle in _read(f'/proc/{name}/environ'):
            if state(int(name)) not in ('Z', 'X', None):
                found[int(name)] = command.replace(b'\0', b' ').decode('utf-8', 'replace')
    return found


def state(pid):
    """The letter of /proc/PID/stat; None if there is no such process."""
    text = _read(f'/proc/{pid}/stat')
    return chr(text.rpartition(b')')[2].split()[0][0]) if text else None


def parent(pid):
    return int(_read(f'/proc/{pid}/stat').rpartition(b')')[2].split()[1])


def resident_bytes(pid):
    return int(_read(f'/proc/{pid}/statm').split()[1]) * os.sysconf('SC_PAGE_SIZE')


def open_files(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def _read(path):
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError:
        return b''
