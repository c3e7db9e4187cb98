"""Builds faults/io_shim.c and says how a program is run with it."""

import os
import shutil
import subprocess

from harness import ROOT, Skip, binary

SOURCE = os.path.join(ROOT, 'tests', 'integration', 'faults', 'io_shim.c')


def library():
    """The shim, built beside the programs under test; built anew when its source is newer."""
    built = os.path.join(os.path.dirname(os.path.dirname(binary())), 'io_shim.so')
    if os.path.exists(built) and os.path.getmtime(built) >= os.path.getmtime(SOURCE):
        return built
    compiler = shutil.which('cc') or shutil.which('gcc')
    if compiler is None:
        raise Skip('no C compiler')
    subprocess.run([compiler, '-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror',
                    '-o', built + '.new', SOURCE, '-ldl'], check=True, timeout=60)
    os.replace(built + '.new', built)
    return built


def environment(**settings):
    """environment(under=…, calls=…, nth=…, errno=…, delay=…, clock=…, **{'while': …})"""
    found = {'SHIM_' + name.upper(): str(value) for name, value in settings.items()}
    found['LD_PRELOAD'] = library()
    if 'asan' in binary():
        found['ASAN_OPTIONS'] = (os.environ.get('ASAN_OPTIONS', '') +
                                 ':verify_asan_link_order=0').lstrip(':')
    return found
