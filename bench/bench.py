"""Measures longhaul beside the machine's own bare figures, all in one run; `./dev bench` runs it.

Prints figures and ratios; judges nothing, so no test depends on how busy a machine is.

    ./dev bench [--quick] [--json FILE]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'integration'))

import harness  # noqa: E402
import procs  # noqa: E402

# The moment of the handler's first line is its result.
FIRST_LINE = b'''import time

def main(event, context):
    now = time.time_ns()
    return str(now)
'''


class Table:
    def __init__(self):
        self.rows = []

    def row(self, name, figure, note=''):
        self.rows.append({'name': name, 'figure': figure, 'note': note})
        print(f'  {name:<44} {figure:>16}   {note}', flush=True)


def us(value):
    return f'{value:.0f} us' if value < 10_000 else f'{value / 1000:.1f} ms'


def build_folder():
    return os.path.dirname(os.path.dirname(os.path.abspath(harness.binary())))


def build(*programs):
    done = subprocess.run(['ninja', '-C', build_folder(), *programs],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f'bench: its programs do not build:\n{done.stdout[-3000:]}')


def load(*arguments):
    done = subprocess.run([os.path.join(build_folder(), 'bench', 'load'), *map(str, arguments)],
                          capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        sys.exit(f'bench: load {" ".join(map(str, arguments))}: {done.stdout}{done.stderr[-2000:]}')
    return json.loads(done.stdout)


def bare_fsync(table, folder, count):
    bare = {}
    for size in (512, 4096):
        figures = load('fsync', folder, size, count)
        bare[size] = figures['p50_us']
        table.row(f'bare pwrite + fdatasync, {size} B', us(figures['p50_us']),
                  f'p99 {us(figures["p99_us"])}, {figures["per_second"]:.0f}/s')
    return bare[512]


def bare_202(table, count):
    with subprocess.Popen([os.path.join(build_folder(), 'bench', 'bare202')],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().strip()
        bare = {}
        for connections in (1, 16, 64):
            figures = load('submit', address, '/v1/functions/x/invocations', connections, count)
            bare[connections] = figures
            table.row(f'bare 202, {connections} connections', us(figures['p50_us']),
                      f'p99 {us(figures["p99_us"])}, {figures["per_second"]:.0f}/s')
        server.stdin.close()
    return bare


def submits(table, dev, fsync_us, bare, count):
    dev.put_function('queued', command=['true'], max_queued=1_000_000)
    dev.request('POST', '/v1/functions/queued/queue/pause')
    for connections in (1, 16, 64):
        figures = load('submit', dev.public, '/v1/functions/queued/invocations', connections,
                       count)
        floor = fsync_us + bare[connections]['p50_us']
        table.row(f'submit, durable, {connections} connections', us(figures['p50_us']),
                  f'p99 {us(figures["p99_us"])}, {figures["per_second"]:.0f}/s; '
                  f'{figures["p50_us"] / floor:.2f} x (bare fsync + bare 202)')


def starts(table, dev, fsync_us, count):
    dev.deploy('first-line', {'app.py': FIRST_LINE}, mode='handler', runtime='python',
               handler='app.main')
    begin = time.monotonic()
    document, _ = dev.run('first-line')
    trace = document['attempts'][0].get('trace') or {}
    table.row('first run, nothing loaded', us((time.monotonic() - begin) * 1e6),
              ', '.join(f'{name} {value:.1f}' for name, value in trace.items()))
    target = '/v1/functions/first-line/invocations'
    load('start', dev.public, target, 20)
    figures = load('start', dev.public, target, count)
    table.row('submit to first line, loaded idle instance', us(figures['p50_us']),
              f'p99 {us(figures["p99_us"])}; {figures["p50_us"] / fsync_us:.1f} x bare fsync')


def memory_of(pid):
    with open(f'/proc/{pid}/status', encoding='utf-8') as file:
        fields = dict(line.split(':', 1) for line in file if ':' in line)
    kib = {name: int(fields[name].split()[0]) for name in ('VmRSS', 'RssAnon')}
    return f'{kib["VmRSS"] / 1024:.1f} MiB', f'of it anonymous {kib["RssAnon"] / 1024:.1f} MiB'


def program_of(pid):
    try:
        return os.path.basename(os.readlink(f'/proc/{pid}/exe'))
    except OSError:
        return ''


def idle_memory(table, dev, title):
    time.sleep(2)
    figure, note = memory_of(dev.process.pid)
    table.row(f'resident, longhaul dev, {title}', figure, note)
    for pid in sorted(procs.marked(dev.base)):
        if program_of(pid).startswith('runtime_agent'):
            figure, note = memory_of(pid)
            table.row(f'resident, runtime agent {pid}', figure, note)


def ready(table, rounds):
    times = []
    for _ in range(rounds):
        dev = harness.Dev()
        try:
            begin = time.monotonic()
            dev.start()
            times.append((time.monotonic() - begin) * 1e6)
        finally:
            dev.close()
    times.sort()
    table.row('longhaul dev: start to ready, empty folder', us(times[len(times) // 2]),
              f'slowest of {rounds}: {us(times[-1])}')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true', help='a tenth of the requests')
    parser.add_argument('--json', metavar='FILE', help='write the rows there too')
    arguments = parser.parse_args()
    part = 10 if arguments.quick else 1
    build('bench/load', 'bench/bare202')
    table = Table()
    print(f'longhaul bench, {os.cpu_count()} CPUs, p50 unless said otherwise')
    ready(table, 3 if arguments.quick else 7)
    with tempfile.TemporaryDirectory(prefix='longhaul-bench-') as folder:
        fsync_us = bare_fsync(table, folder, 2000 // part)
    bare = bare_202(table, 20_000 // part)
    dev = harness.Dev()
    try:
        dev.start()
        idle_memory(table, dev, 'fresh')
        submits(table, dev, fsync_us, bare, 20_000 // part)
        starts(table, dev, fsync_us, 500 // part)
        idle_memory(table, dev, 'after the load')
    finally:
        dev.close()
    if arguments.json:
        with open(arguments.json, 'w', encoding='utf-8') as file:
            json.dump(table.rows, file, indent=2)
    return 0


if __name__ == '__main__':
    sys.exit(main())
