"""Proof that the rules bite: bad snippets that must be caught, good ones that must pass."""

import rules

_BODY = '\n'.join('    ++n;' for _ in range(70))
_TOP = '// What it is.\n#pragma once\n'

# (path, text, rule that must fire; None: nothing may)
CASES = (
    ('include/longhaul/base/a.hpp', _TOP + '#include "longhaul/wire/json.hpp"\n', 'include'),
    ('include/longhaul/net/a.hpp', _TOP + '#include "longhaul/wire/json.hpp"\n', None),
    ('include/longhaul/net/a.hpp', _TOP + '#include "longhaul/wire/base64.hpp"\n', 'include'),
    ('include/longhaul/journal/a.hpp', _TOP + '#include "longhaul/net/deadline.hpp"\n', None),
    ('include/longhaul/journal/a.hpp', _TOP + '#include "longhaul/net/router.hpp"\n', 'include'),
    ('include/longhaul/journal/a.hpp', _TOP + '#include "longhaul/crypto/digest.hpp"\n', None),
    ('include/longhaul/client/a.hpp', _TOP + '#include "longhaul/port/peer.hpp"\n', None),
    ('include/longhaul/client/a.hpp', _TOP + '#include "longhaul/port/disk.hpp"\n', 'include'),
    ('gateway/core/a.cpp', '#include "longhaul/port/clock.hpp"\n', 'include'),
    ('gateway/core/a.cpp', '#include "gateway/driver/a.hpp"\n', 'include'),
    ('gateway/core/a.cpp', '#include <fmt/format.h>\n', 'include'),
    ('gateway/core/a.cpp', '#include "longhaul/base/log.hpp"\n', 'include'),
    ('gateway/core/a.cpp', '#include <thread>\n', 'include'),
    ('gateway/core/a.cpp', 'auto t = std::chrono::steady_clock::now();\n', 'purity'),
    ('gateway/core/a.cpp', '// throw nothing here\nint a;\n', None),
    ('gateway/driver/a.cpp', '#include "gateway/core/a.hpp"\n', None),
    ('gateway/driver/a.cpp', '#include "host_agent/core/a.hpp"\n', 'include'),
    ('gateway/driver/a.cpp', 'std::mutex m;\n', 'mutex'),
    ('gateway/ledger/a.cpp', 'std::mutex m;\n', None),
    ('gateway/routes/a.cpp', '#include "gateway/driver/loop.hpp"\n', 'include'),
    ('gateway/routes/a.cpp', '#include "gateway/driver/handle.hpp"\n', None),
    ('gateway/app.cpp', '#include "longhaul/journal/file_journal.hpp"\n', None),
    ('gateway/app.cpp', '#include "host_agent/app.hpp"\n', 'include'),
    ('cli/dev.cpp', '#include "host_agent/app.hpp"\n', None),
    ('cli/submit.cpp', '#include "gateway/app.hpp"\n', 'include'),
    ('cli/submit.cpp', '#include "tests/support/fake.hpp"\n', 'include'),
    ('tests/unit/net/a.cpp', '#include "gateway/core/a.hpp"\n#include <rocksdb/db.h>\n', None),
    ('include/longhaul/net/a.hpp', _TOP + '#include <boost/beast/http.hpp>\n', 'include'),
    ('include/longhaul/net/impl/a.cpp', '#include <boost/beast/http.hpp>\n', None),
    ('include/longhaul/port/a.hpp', _TOP + '#include <boost/asio/post.hpp>\n', 'include'),
    ('include/longhaul/port/a.hpp', _TOP + '#include <boost/asio/awaitable.hpp>\n', None),
    ('gateway/driver/a.cpp', '#include <boost/asio.hpp>\n', 'include'),
    ('gateway/driver/a.cpp', '#include <rocksdb/db.h>\n', 'include'),
    ('gateway/driver/a.cpp', '#include <nats.h>\n', 'include'),
    ('gateway/driver/a.cpp', '#include <openssl/sha.h>\n', 'include'),
    ('gateway/driver/a.cpp', '#include <rapidjson/document.h>\n', 'include'),
    ('gateway/routes/a.cpp', '#include <archive.h>\n', 'include'),
    ('host_agent/packages/a.cpp', '#include <archive.h>\n', None),
    ('gateway/driver/a.cpp', '#include <nlohmann/json.hpp>\n', 'include'),
    ('gateway/driver/a.cpp', '#include <vector>\n#include <fmt/format.h>\n', 'include-order'),
    ('gateway/driver/a.cpp', 'void f() {\n' + _BODY + '\n}\n', 'function-length'),
    ('gateway/driver/a.cpp',
     'A::A(int n) : a_{n},\n    b_(1) {\n' + _BODY + '\n}\n', 'function-length'),
    ('gateway/driver/a.cpp', 'namespace a {\nclass B {\n    int f() const {\n' + _BODY +
     '\n        return 1;\n    }\n};\n}\n', 'function-length'),
    ('gateway/driver/a.cpp', 'class A {\n' + 'int a = 1;\n' * 90 + '};\n', None),
    ('gateway/driver/a.cpp', 'const int kA[] = {\n' + 'f(1),\n' * 90 + '};\n', None),
    ('gateway/driver/a.cpp', 'void f() {\n// }\nauto s = "}";\nchar c = \'}\';\n' + _BODY + '\n}\n',
     'function-length'),
    ('gateway/driver/a.cpp', 'void f() {\n' + '++n;\n' * 60 + '}\nvoid g() {\n' + '++n;\n' * 60 +
     '}\n', None),
    ('gateway/driver/a.cpp', 'int a;\n' * 501, 'file-length'),
    ('gateway/driver/a.hpp', _TOP + ''.join(
        f'#include "gateway/core/a{n}.hpp"\n' for n in range(9)), 'header-includes'),
    ('gateway/driver/a.cpp', 'int ' + 'a' * 100 + ';\n', 'columns'),
    ('gateway/driver/a.hpp', '// What.\nint a;\n', 'pragma-once'),
    ('gateway/driver/a.hpp', '#pragma once\n', 'header-comment'),
    ('gateway/driver/a.hpp', _TOP + 'using namespace std;\n', 'using-namespace'),
    ('gateway/driver/a.cpp', 'co_spawn(e, f(), token);\n', 'co-spawn'),
    ('include/longhaul/net/impl/task_group.cpp', 'co_spawn(e, f(), token);\n', None),
    ('tests/unit/net/a.cpp', 'co_spawn(e, f(), asio::detached);\n', 'detached'),
    ('gateway/driver/a.cpp', 'auto f = [=] { return a; };\n', 'capture-all'),
    ('gateway/driver/a.cpp', 'auto f = [=, &b] { return a; };\n', 'capture-all'),
    ('gateway/driver/a.cpp', 'auto f = [a]() -> awaitable<void> { co_return; };\n',
     'coroutine-lambda'),
    ('gateway/driver/a.cpp', 'void f() { try { g(); } catch (...) { h(); } }\n', 'catch-all'),
    ('gateway/driver/a.cpp', 'void f() { try { g(); } catch (const E& e) {} }\n',
     'catch-and-drop'),
    ('gateway/driver/a.cpp', 'void f() { try { g(); } catch (const E& e) {  // left\n} }\n', None),
    ('gateway/driver/a.cpp', 'App::instance().run();\n', 'singleton'),
    ('gateway/driver/a.cpp', 'auto pid = fork();\n', 'fork'),
    ('tests/unit/net/a.cpp', 'std::this_thread::sleep_for(1s);\n', 'sleep'),
    ('gateway/driver/a.cpp', 'd.ParseInsitu(text);\n', 'parse-in-place'),
    ('gateway/driver/a.cpp', '// TO' + 'DO: later\n', 'unfinished'),
    ('docs/a.md', 'see /' + 'work/main\n', 'foreign'),
    ('docs/a.md', 'see https://py' + 'pi.org/x\n', 'foreign'),
    ('docs/a.md', 'the file network/wo' + 'rk/a.txt and ' + 'long ' * 40 + '\n', None),
)


def run():
    """(passed, list of messages about rules that do not bite)."""
    problems = []
    for number, (path, text, rule) in enumerate(CASES):
        fired = {f.rule for f in rules.check_files({path: text}, {})}
        if (rule is None and fired) or (rule is not None and rule not in fired):
            problems.append(f'tests/tidy/self_test.py: case {number} ({path}): expected '
                            f'{rule or "nothing"}, found {", ".join(fired) or "nothing"}')
    two = {f'gateway/ledger/{n}.cpp': '#include <rocksdb/db.h>\n' for n in 'ab'}
    if [f.rule for f in rules.check_files(two, {})] != ['include']:
        problems.append('tests/tidy/self_test.py: a second file may include rocksdb')
    long = {'gateway/driver/a.cpp': 'void f() {\n' + _BODY[:200] + '\n}\n'}
    if [f.rule for f in rules.check_files(long, {'function_lines_p90': 5})] != ['ratchet']:
        problems.append('tests/tidy/self_test.py: the ratchet does not hold')
    return len(CASES) + 2 - len(problems), problems
