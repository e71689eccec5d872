# SPDX-License-Identifier: MIT
"""The extension module pvctl._pvctl, in cffi's API mode: what the installed libpvctl.h declares, once per ABI of Python.

pkg-config finds the header and the library; PKG_CONFIG_PATH says where else to look.
"""
import os
import re
import shlex
import subprocess

import cffi

CALLBACKS = """
extern "Python" void pvctl_py_log(void *, int, const char *);
extern "Python" int pvctl_py_progress(void *, const char *, uint64_t, uint64_t);
extern "Python" int pvctl_py_written(void *, struct pvctl_error *);
extern "Python" int pvctl_py_ready(void *, uint32_t, struct pvctl_error *);
extern "Python" void pvctl_py_message(void *, const struct pvctl_parse_message *);
extern "Python" void pvctl_py_say(void *, const char *);
extern "Python" void pvctl_py_step(void *, const char *);
"""


# A list of the library's as pointers, and a text of each of its structs, by one call: each call into C has its price in Python.
TEXTS = """static size_t pvctl_py_texts(const void *const *structs, size_t n, size_t offset, size_t size, char *into)
{
	char *end = into;

	for (size_t i = 0; i < n; i++) {
		const char *text = (const char *)structs[i] + offset;
		size_t len = strnlen(text, size);

		memcpy(end, text, len);
		end += len;
		*end++ = 0;
	}
	return (size_t)(end - into);
}
"""
ALL = """static void pvctl_py_{info}(const struct {of} *list, const struct {info} **into, size_t n)
{{
	for (size_t i = 0; i < n; i++)
		into[i] = {at}(list, i);
}}
"""


def all_of(header: str) -> str:
    lists = re.findall(r"const struct (\w+) \*(\w+_list_at)\(const struct (\w+) \*, size_t i\);", header)
    return TEXTS + "".join(ALL.format(info=info, at=at, of=of) for info, at, of in lists)


def pkg_config(option: str) -> list[str]:
    return shlex.split(subprocess.run(["pkg-config", option, "libpvctl"], check=True, stdout=subprocess.PIPE, text=True).stdout)


def declarations(header: str) -> str:
    """What cffi can read of it: no comments, no preprocessor but for constants."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    text = re.sub(r"^#ifdef __cplusplus$.*?^#endif$", "", text, flags=re.S | re.M)
    constants = re.findall(r"^#define (PVCTL_[A-Z_]+) \d+u?$", text, flags=re.M)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    text = re.sub(r"\b(PVCTL_API|PVCTL_CHECK)\b", "", text)
    return "".join(f"#define {name} ...\n" for name in constants) + text + CALLBACKS


def header_text(include: list[str]) -> str:
    for directory in include + ["/usr/local/include", "/usr/include"]:
        path = os.path.join(directory, "libpvctl.h")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                return f.read()
    raise SystemExit("libpvctl.h is not where pkg-config says")


def make() -> cffi.FFI:
    cflags = pkg_config("--cflags-only-I")
    include = [flag[2:] for flag in cflags]
    libs = pkg_config("--libs")
    ffi = cffi.FFI()
    header = header_text(include)
    lists = all_of(header)
    ffi.cdef(declarations(header) + re.sub(r"\n\{.*?\n\}", ";", lists, flags=re.S))
    ffi.set_source("pvctl._pvctl", "#include <libpvctl.h>\n#include <string.h>\n" + lists, include_dirs=include,
                   library_dirs=[flag[2:] for flag in libs if flag.startswith("-L")],
                   libraries=[flag[2:] for flag in libs if flag.startswith("-l")])
    return ffi


ffi = make()
