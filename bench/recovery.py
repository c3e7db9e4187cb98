"""How fast the real program is back over a directory with much in it: `./dev bench recovery`.

    ./dev bench recovery [--records N] [--waiting N]

Twice: over a journal whose view is empty, so that everything is read and the view is built anew;
and after a kill -9 once the view had caught up, as a gateway that was at work comes back.
"""

import argparse
import os
import subprocess
import sys
import time

import bench
import harness

CAUGHT_UP = 300.0


def backlog(dev):
    text = dev.admin_request('/metrics')
    for line in text.splitlines():
        if line.startswith('longhaul_view_backlog '):
            return float(line.split()[1])
    sys.exit('bench: no longhaul_view_backlog among the metrics')


class Recovering(harness.Dev):
    def admin_request(self, path):
        return harness.http_client.request(self.admin, 'GET', path).body.decode()

    def first_202(self):
        """(seconds from the start of the process to its first 202, seconds until ready)."""
        begin = time.monotonic()
        self.start(timeout=CAUGHT_UP)
        ready = time.monotonic() - begin
        self.put_function('new', command=['true'])
        self.submit('new')
        return time.monotonic() - begin, ready, begin


def seconds(value):
    return f'{value:.2f} s'


def measure(table, dev, title):
    first, ready, begin = dev.first_202()
    table.row(f'{title}: start to first 202', seconds(first), f'ready after {seconds(ready)}')
    harness.until(lambda: backlog(dev) == 0, 'the view has caught up', CAUGHT_UP)
    table.row(f'{title}: view caught up', seconds(time.monotonic() - begin))
    figure, note = bench.memory_of(dev.process.pid)
    table.row(f'{title}: resident', figure, note)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--records', type=int, default=1_000_000)
    parser.add_argument('--waiting', type=int, default=100_000)
    arguments = parser.parse_args()
    bench.build('bench/ledger')
    table = bench.Table()
    ended = (arguments.records - arguments.waiting) // 3
    print(f'longhaul bench recovery, {arguments.records:,} records, {arguments.waiting:,} live')
    dev = Recovering()
    try:
        folder = os.path.join(dev.data, 'gateway', 'journal')
        os.makedirs(folder)
        begin = time.monotonic()
        subprocess.run([os.path.join(bench.build_folder(), 'bench', 'ledger'), folder, str(ended),
                        str(arguments.waiting)], check=True, timeout=600)
        table.row('the journal, written', seconds(time.monotonic() - begin))
        begin = time.monotonic()
        size = 0
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), 'rb') as file:
                size += len(file.read())
        table.row('the journal, read as bytes', seconds(time.monotonic() - begin),
                  f'{size / (1 << 20):.0f} MiB')
        measure(table, dev, 'empty view')
        dev.kill_9()
        measure(table, dev, 'view as it was')
    finally:
        dev.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
