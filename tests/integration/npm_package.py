"""Packages of the npm registry that tests run as their users would: installed once, kept in build/.

A test that needs one is skipped by name where it cannot be installed.
"""

import os
import shutil
import subprocess

import harness

# Where their native code finds the headers of Debian's Node, instead of fetching others.
ENVIRONMENT = {'npm_config_nodedir': '/usr', 'npm_config_update_notifier': 'false'}

# Where there is no registry that is soon clear.
PATIENCE = ('--fetch-retries', '1', '--fetch-retry-maxtimeout', '5000', '--fetch-timeout', '30000')
REFUSED = {}  # folder: why; one try a run


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
    if folder in REFUSED:
        raise harness.Skip(REFUSED[folder])
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, 'install.log')
    with open(log, 'wb') as out:
        code = subprocess.run(
            ['npm', 'install', '--prefix', folder, '--no-audit', '--no-fund', *PATIENCE,
             '--foreground-scripts', *packages],
            env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            check=False).returncode
    if code != 0:
        REFUSED[folder] = f'npm {name} cannot be installed: {last_line(log)} ({log})'
        raise harness.Skip(REFUSED[folder])
    with open(done, 'w', encoding='utf-8'):
        return folder


def last_line(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = [line.strip() for line in file if line.strip()]
    return lines[-1] if lines else 'it said nothing'
