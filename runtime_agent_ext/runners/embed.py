#!/usr/bin/env python3
"""Writes a text file as a C++ constant: embed.py NAME INPUT OUTPUT."""

import sys


def main():
    name, source, target = sys.argv[1:4]
    with open(source, "rb") as file:
        data = file.read()
    with open(target, "w", encoding="ascii") as out:
        out.write("// Generated from %s; do not edit.\n" % source.rsplit("/", 1)[-1])
        out.write('#include "runtime_agent_ext/runners/runners.hpp"\n\n')
        out.write("namespace longhaul::runtime_agent_ext {\n\n")
        out.write("const std::string_view %s =\n" % name)
        for line in data.splitlines(keepends=True):
            text = "".join(
                chr(b) if 32 <= b < 127 and b not in b'\\"?' else "\\%03o" % b for b in line
            )
            out.write('    "%s"\n' % text)
        out.write("    ;\n\n}  // namespace longhaul::runtime_agent_ext\n")


main()
