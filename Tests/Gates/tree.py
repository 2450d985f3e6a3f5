"""The files of the tree that the gates look at, and the report that they share.

Run as a program it prints the Swift files, NUL-separated, for the gates that are shell scripts.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Where no repository tells what is ours and what was built.
BUILT = {".build", ".git", ".venv", "node_modules", "__pycache__"}


def files(suffix=""):
    """Paths relative to the root, tracked or new, never built or ignored ones."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
    )
    top = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--show-toplevel"], capture_output=True, text=True)
    if listed.returncode == 0 and top.stdout.strip() == str(ROOT):
        names = {pathlib.PurePath(name) for name in listed.stdout.decode().split("\0") if name}
    else:
        names = {path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()}
    return sorted(
        name for name in names
        if str(name).endswith(suffix) and not BUILT & set(name.parts) and (ROOT / name).is_file()
    )


def lines(name):
    """(number, line, line without its // comment, excuses) of a file.

    A line is excused from a rule by `// allowed(rule): reason` on the same line or in the comment right above it.
    """
    excuses = set()
    for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
        here = set(re.findall(r"// allowed\(([a-z-]+)\): \S.{9,}", line))
        code = re.sub(r"(^|\s)//.*$", "", line)
        yield number, line, code, excuses | here
        excuses = excuses | here if not code.strip() else set()


class Report:
    """Findings on stdout, one a line; `close` ends the process with 1 if there was one."""

    def __init__(self, gate):
        self.gate = gate
        self.count = 0

    def __call__(self, where, what):
        print(f"{where}: {what}")
        self.count += 1

    def close(self):
        if self.count:
            print(f"{self.gate}: {self.count} finding(s)", file=sys.stderr)
        sys.exit(1 if self.count else 0)


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}\0" for name in files("." + sys.argv[1])))
