"""What a run was told and what its functions left: written while it goes on, read by the checker.

The history has one JSON object a line; the evidence one line per start and per end of a function.
Both have the time of one clock, CLOCK_BOOTTIME, which /proc/uptime shows to functions too.
"""

import json
import threading
import time


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Recorder:
    """Writes the history. Any thread may call it."""

    def __init__(self, path):
        self.path = path
        self._file = open(path, 'a', encoding='utf-8')  # pylint: disable=consider-using-with
        self._lock = threading.Lock()

    def record(self, kind, **members):
        members.setdefault('at', now())
        line = json.dumps({'kind': kind, **members}, separators=(',', ':'))
        with self._lock:
            self._file.write(line + '\n')

    def close(self):
        with self._lock:
            self._file.close()


def read_history(path):
    with open(path, encoding='utf-8') as file:
        return [json.loads(line) for line in file]


def parse_evidence(line):
    """A start or end that a function has noted; None for a line that is not whole."""
    words = line.split()
    if len(words) != 8 or words[0] not in ('start', 'end'):
        return None
    return {'what': words[0], 'id': words[1], 'attempt': int(words[2]), 'pid': int(words[3]),
            'ticks': int(words[4]), 'at': float(words[5]), 'function': words[6],
            'token': words[7]}


class Evidence:
    """Follows the file that functions append to. Any thread may ask it."""

    def __init__(self, path):
        self.path = path
        self._lock = threading.Lock()
        self._offset = 0
        self._lines = []
        self._by_id = {}

    def all(self):
        with self._lock:
            self._read()
            return list(self._lines)

    def of(self, invocation):
        with self._lock:
            self._read()
            return list(self._by_id.get(invocation, ()))

    def _read(self):
        with open(self.path, 'rb') as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[:data.rfind(b'\n') + 1]
        self._offset += len(whole)
        for line in whole.decode('utf-8', 'replace').splitlines():
            found = parse_evidence(line)
            if found is not None:
                self._lines.append(found)
                self._by_id.setdefault(found['id'], []).append(found)
