#!/usr/bin/env python3
"""How much of the pure cores the unit tests run; `./dev coverage` calls it.

    coverage.py [--lines] [--least PERCENT]

Builds the unit programs of the cores in build-coverage, without optimisation, runs them, and prints
covered lines of each core folder, and covered branches of the transition function. A line counts
as covered if any of the programs ran it. --lines names what no test ran. Exits with 1 where a
folder is below --least (95), or a branch of the transition function was not taken.
"""

import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(os.environ.get('LONGHAUL_BUILD_ROOT', ROOT), 'build-coverage')
PROGRAMS = ('lifecycle', 'gateway_core', 'host_agent', 'runtime_agent_ext', 'status_service')
CORES = ('include/longhaul/lifecycle', 'gateway/core', 'host_agent/core', 'runtime_agent_ext/core',
         'status_service/core')
TRANSITION = 'include/longhaul/lifecycle/impl/transition.cpp'


def call(*words, **options):
    done = subprocess.run(words, cwd=ROOT, check=False, **options)
    if done.returncode != 0:
        sys.exit(f'coverage: {" ".join(words)} ended with {done.returncode}')
    return done


def program(name):
    return f'tests/unit/{name}/unit_{name}'


def build():
    if not os.path.exists(os.path.join(BUILD, 'build.ninja')):
        # Unoptimised: a line stays a line. `throw` edges of the compiler's own count as branches;
        # none is left without exceptions in the cores.
        call('meson', 'setup', BUILD, ROOT, '-Db_coverage=true', '-Doptimization=0',
             '-Dwerror=false', stdout=subprocess.DEVNULL)
    jobs = os.environ.get('LONGHAUL_JOBS', str(os.cpu_count()))
    call('ninja', '-C', BUILD, '-j', jobs, 'bin/runtime_agent_ext', *map(program, PROGRAMS))


def run():
    environment = {**os.environ,
                   'LONGHAUL_RUNTIME_AGENT': os.path.join(BUILD, 'bin', 'runtime_agent_ext')}
    for folder, _, files in os.walk(BUILD):
        for file in files:
            if file.endswith('.gcda'):
                os.remove(os.path.join(folder, file))
    for name in PROGRAMS:
        call(os.path.join(BUILD, program(name)), env=environment, stdout=subprocess.DEVNULL)


def measure():
    """What gcovr knows of the files of the cores: one document a file."""
    filters = [word for core in CORES for word in ('--filter', f'{core}/')]
    told = call('gcovr', '--root', '.', '--json', '-', '--exclude-throw-branches',
                '--exclude-unreachable-branches', '--gcov-ignore-parse-errors', *filters, BUILD,
                stdout=subprocess.PIPE)
    return json.loads(told.stdout)['files']


def in_words(numbers):
    """[1, 2, 3, 7] -> "1-3, 7"."""
    parts = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ', '.join(str(a) if a == b else f'{a}-{b}' for a, b in parts)


def lines_of(file):
    return [line for line in file['lines'] if not line.get('gcovr/noncode')]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--lines', action='store_true', help='name the lines that no test ran')
    parser.add_argument('--least', type=float, default=95, metavar='PERCENT')
    arguments = parser.parse_args()
    build()
    run()
    files = measure()
    short = False
    for core in CORES:
        mine = [file for file in files if file['file'].startswith(core + '/')]
        if not mine:
            sys.exit(f'coverage: nothing was measured of {core}')
        lines = [line for file in mine for line in lines_of(file)]
        covered = sum(line['count'] > 0 for line in lines)
        percent = 100 * covered / len(lines)
        short = short or percent < arguments.least
        print(f'{core:<28} {percent:6.2f} %   {covered} of {len(lines)} lines')
        if arguments.lines:
            for file in mine:
                missing = sorted({line['line_number'] for line in lines_of(file)
                                  if line['count'] == 0})
                if missing:
                    print(f'    {file["file"]}: {in_words(missing)}')
    branches = [(line['line_number'], branch) for file in files if file['file'] == TRANSITION
                for line in lines_of(file) for branch in line['branches']]
    missed = sorted({number for number, branch in branches if branch['count'] == 0})
    taken = sum(branch['count'] > 0 for _, branch in branches)
    print(f'{"transition function":<28} {100 * taken / max(1, len(branches)):6.2f} %   '
          f'{taken} of {len(branches)} branches')
    if missed:
        print(f'    {TRANSITION}: {in_words(missed)}')
    return 1 if short or missed or not branches else 0


if __name__ == '__main__':
    sys.exit(main())
