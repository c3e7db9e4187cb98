"""What decisions and invocations cost the gateway's core; `./dev bench core` runs it.

Prints figures and ratios; judges nothing.

    ./dev bench core [--quick]
"""

import argparse
import json
import os
import subprocess
import sys

import bench


def core(*arguments):
    done = subprocess.run([os.path.join(bench.build_folder(), 'bench', 'core'),
                           *map(str, arguments)],
                          capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        sys.exit(f'bench: core {" ".join(map(str, arguments))}: {done.stdout}{done.stderr}')
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true', help='a tenth of the invocations')
    arguments = parser.parse_args()
    count = 100_000 if arguments.quick else 1_000_000
    bench.build('bench/core')
    table = bench.Table()
    print(f'longhaul bench core, {count:,} invocations')
    for title, *lines in (('one line of one function', 1, 1, 0),
                          ('1,000 functions of 100 tenants', 100, 10, 0),
                          ('10,000 functions of 1,000 tenants', 1_000, 10, 0),
                          ('1,000 functions, 100 keys each', 100, 10, 100)):
        figures = core('choose', count, *lines)
        table.row(f'next of all that wait, {title}', f'{figures["ns"] / 1000:.2f} us',
                  f'{figures["ns"] / figures["bare_ns"]:.1f} x a sorted map\'s first')
    for state in ('queued', 'running'):
        figures = core('memory', state, count // 10 if state == 'running' else count)
        table.row(f'resident, one that is {state}', f'{figures["bytes"]:.0f} B')
    return 0


if __name__ == '__main__':
    sys.exit(main())
