"""Who may include whom, and which library may be used where: the one list.

A file belongs to an area; an area may include the areas named for it below.
"""

import fnmatch

COMPONENTS = ('gateway', 'status_service', 'host_agent', 'runtime_agent_ext', 'cli', 'bench')
ADAPTERS = ('journal', 'nats', 'blob', 'process', 'crypto', 'system')
SHARED = ('base', 'lifecycle', 'wire', 'port', 'net', 'client', 'program') + ADAPTERS
_DRIVER = ('driver', 'ledger', 'bodies', 'callbacks', 'triggers', 'packages', 'instances',
           'reports', 'store', 'runners')
_ROUTES = ('routes', 'api')

# area -> {included area: which of its headers; None is all of them}. `core`, `driver`, `routes`,
# `cli` and `config` are those of the own component.
_FEW_OF_NET = ('task_group.hpp', 'deadline.hpp', 'interrupt.hpp', 'notifier.hpp')
_BASIS = {'base': None, 'lifecycle': None, 'wire': None}
_ADAPTER = {**_BASIS, 'port': None, 'net': _FEW_OF_NET, 'crypto': None}
ALLOWED = {
    'base': {},
    'lifecycle': {'base': None},
    'wire': {'base': None, 'lifecycle': None},
    'port': {'base': None, 'lifecycle': None},
    'net': {'base': None, 'port': None, 'wire': ('problem_json.hpp', 'json.hpp')},
    **{adapter: _ADAPTER for adapter in ADAPTERS},
    'nats': {**_ADAPTER, 'system': ('subject.hpp',)},
    'client': {**_BASIS, 'net': None, 'port': ('peer.hpp',)},
    # What the programs' main.cpp have in common.
    'program': {**_BASIS, 'port': None, 'net': None, 'system': None},
    'core': {'base': None, 'lifecycle': None},
    'driver': {**_BASIS, 'port': None, 'net': _FEW_OF_NET, 'core': None, 'config': None,
               **{adapter: None for adapter in ADAPTERS}},
    'routes': {**_BASIS, 'net': None, 'core': None, 'config': None,
               'driver': ('handle.hpp', '*_handle.hpp')},
    'cli': {**_BASIS, 'net': None, 'crypto': None, 'client': None, 'config': None},
    'app': {**{area: None for area in SHARED}, 'core': None, 'driver': None, 'routes': None,
            'cli': None, 'config': None},
}
# A component's config.hpp gathers the limits of its parts, so it sees what its app sees.
ALLOWED['config'] = ALLOWED['app']

# Prefix of an include -> (where it may be used, in how many files at most).
# `area` or a path pattern.
_ASIO = ('journal', 'process', 'net', 'nats', 'blob', 'system', 'client', 'driver', 'app',
         'program')
LIBRARIES = (
    ('boost/asio/awaitable.hpp', _ASIO + ('port', 'routes'), None),
    ('boost/asio/', _ASIO, None),
    ('boost/beast', ('include/longhaul/net/impl/*',), None),
    ('boost/url', ('net', 'client', 'blob', 'cli'), None),
    ('boost/system', ('*',), None),
    ('fmt/', ('*', '!core', '!lifecycle'), None),
    ('rapidjson/', ('include/longhaul/wire/impl/*',), None),
    ('nats', ('include/longhaul/nats/impl/*',), None),
    ('rocksdb/', ('gateway/ledger/*',), 1),
    ('openssl/', ('include/longhaul/crypto/impl/*', 'include/longhaul/net/impl/*'), None),
    ('archive', ('host_agent/packages/*', 'cli/deploy*'), None),
    ('zstd', ('host_agent/packages/*', 'cli/deploy*'), None),
    ('spdlog/', ('include/longhaul/base/impl/*',), None),
    ('toml++/', ('include/longhaul/base/impl/*',), None),
    ('CLI/', ('cli', 'cli/*', 'include/longhaul/program/impl/*'), None),
    ('librdkafka/', ('gateway/triggers/*',), 1),
)


def locate(path):
    """(area, component) of a file; the area is None for what no rule of direction covers."""
    parts = path.split('/')
    if parts[:2] == ['include', 'longhaul'] and len(parts) > 3:
        return parts[2], None
    if parts[0] == 'tests':
        return 'tests', None
    if parts[0] == 'bin':
        return 'app', None
    if parts[0] not in COMPONENTS:
        return None, None
    component = parts[0]
    if component in ('cli', 'bench'):
        whole_system = parts[1].split('.')[0] in ('dev', 'main') or parts[1].startswith('dev_')
        whole_system = whole_system or component == 'bench'  # it measures any part
        return ('app' if whole_system else 'cli'), component
    if len(parts) > 2:
        folder = parts[1]
        if folder == 'core':
            return 'core', component
        if folder in _DRIVER:
            return 'driver', component
        if folder in _ROUTES:
            return 'routes', component
    return ('config' if parts[-1].startswith('config.') else 'app'), component


def locate_include(include):
    """(area, component) of what a quoted include names; area None: not ours."""
    if include.startswith('longhaul/'):
        return include.split('/')[1], None
    return locate(include)


def why_not_include(path, include):
    """None, or why the file must not include that header of ours."""
    area, component = locate(path)
    if area in (None, 'tests'):
        return None
    target, target_component = locate_include(include)
    if target == 'tests':
        return 'nothing includes tests'
    if target is None:
        return 'quoted includes start with "longhaul/", a component or "tests/"'
    if target_component and target_component != component:
        links_several = area == 'app' and component in ('cli', 'bench', None)
        return None if links_several else (
            f'{component or area} must not include {target_component}: '
            'a component never includes another')
    if target == area:
        return None
    allowed = ALLOWED.get(area, {})
    if target not in allowed:
        return f'{area} may include only {", ".join(sorted(allowed)) or "itself"}, not {target}'
    headers = allowed[target]
    name = include.rsplit('/', 1)[-1]
    if headers is not None and not any(fnmatch.fnmatch(name, h) for h in headers):
        return f'of {target}, {area} may include only {", ".join(headers)}'
    return None


def library_of(include):
    """The entry of LIBRARIES for an include, or None."""
    for entry in LIBRARIES:
        if include.startswith(entry[0]):
            return entry
    return None


def why_not_library(path, include):
    """None, or why the file must not include that third-party header."""
    area, _ = locate(path)
    if area in (None, 'tests'):
        return None
    if include in ('boost/asio.hpp', 'boost/beast.hpp', 'boost/url.hpp'):
        return f'<{include}> is the whole library; include the narrow header'
    entry = library_of(include)
    if entry is None:
        return f'<{include}>: this library is not in the table of tests/tidy/layers.py'
    places = entry[1]
    if '!' + str(area) in places:
        return f'<{entry[0]}> must not be used in {area}'
    for place in places:
        if place in (area, '*') or ('/' in place or place.startswith('*')) and fnmatch.fnmatch(
                path, place):
            return None
    return f'<{entry[0]}…> may be used only in {", ".join(places)}'
