"""Packages of the npm registry that tests run as their users would: installed once, kept in build/.

A test that needs one is skipped by name where it cannot be installed.
"""

import os
import shutil
import subprocess

import harness

# Where their native code finds the headers of Debian's Node, instead of fetching others.
ENVIRONMENT = {'npm_config_nodedir': '/usr', 'npm_config_update_notifier': 'false'}


def installed(packages, tools=()):
    """The folder whose node_modules has the packages ("name@version"); raises harness.Skip."""
    name = ' '.join(packages)
    for tool in ('node', 'npm', *tools):
        if shutil.which(tool) is None:
            raise harness.Skip(f'npm {name} cannot be installed: {tool} is not there')
    build = os.path.dirname(os.path.dirname(os.path.abspath(harness.binary())))
    folder = os.path.join(build, 'npm', name.replace('/', '+').replace(' ', '_'))
    done = os.path.join(folder, 'installed')
    if os.path.exists(done):
        return folder
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, 'install.log')
    with open(log, 'wb') as out:
        code = subprocess.run(
            ['npm', 'install', '--prefix', folder, '--no-audit', '--no-fund',
             '--foreground-scripts', *packages],
            env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            check=False).returncode
    if code != 0:
        raise harness.Skip(f'npm {name} cannot be installed: {last_line(log)} ({log})')
    with open(done, 'w', encoding='utf-8'):
        return folder


def last_line(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = [line.strip() for line in file if line.strip()]
    return lines[-1] if lines else 'it said nothing'
