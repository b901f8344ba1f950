"""Rules for the files around the code: text, requirements, README, decisions."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence

from tidy_source import ROOT, Finding, Source, words

# Put together from parts, so that this file does not break its own rule.
FOLDERS = words("home root Users work workspace workspaces builds mnt")
INDEX_HOSTS = tuple(f"{name}.org" for name in ("pypi", "pythonhosted"))
PRIVATE = re.compile(
    rf"(?<![\w.~}}-])/(?:{'|'.join(sorted(FOLDERS))})/\S"
    rf"|\b[A-Z]:\\+{'Users'}\b"
    rf"|{'|'.join(map(re.escape, INDEX_HOSTS))}"
    rf"|\w://\S*/{'simple'}\b"
)
SOURCES_OF_PACKAGES = re.compile(r"://|--(?:extra-)?index-url|--find-links|^-[if]\b")
PINNED = re.compile(r"([a-z0-9-]+)==[^ ]+(?: ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
COMMAND = re.compile(r"^## (.+)\n\n```sh\n(.+)\n```$", re.MULTILINE)


def tracked_sources() -> Sequence[Source]:
    """Read every text file that git tracks; without git, every visible file."""
    names = _tracked_files() or _visible_files()
    return [source for name in names if (source := _read_text(name))]


def _tracked_files() -> Sequence[str]:
    if not (git := shutil.which("git")):
        return []
    command = [git, "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(  # noqa: S603 - fixed arguments
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return listed.stdout.split("\0")[:-1]


def _visible_files() -> Sequence[str]:
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in paths
        if path.parts[0] == ".ci"
        or not any(p.startswith((".", "__pycache__")) for p in path.parts)
    )


def _read_text(name: str) -> Source | None:
    try:
        return Source(name, (ROOT / name).read_text("utf-8"))
    except (UnicodeDecodeError, FileNotFoundError):  # Binary, or deleted just now.
        return None


def private_places(sources: Sequence[Source]) -> Iterator[Finding]:
    """A path or host of one machine is noise, or a leak, on every other machine."""
    for source in sources:
        for line, text in enumerate(source.text.splitlines(), 1):
            if found := PRIVATE.search(text):
                yield Finding(source.path, line, f"names {found.group()}")


def chosen_indexes(sources: Sequence[Source]) -> Iterator[Finding]:
    """Where packages come from is the user's choice; the hashes say which are right."""
    for source in sources:
        for line, text in enumerate(source.text.splitlines(), 1):
            if SOURCES_OF_PACKAGES.search(text):
                yield Finding(source.path, line, f"names a package source: {text}")


def unhashed_pins(sources: Sequence[Source]) -> Iterator[Finding]:
    """A pin without a hash trusts whoever serves the file."""
    for source in sources:
        for line, text in enumerate(source.text.splitlines(), 1):
            bare = text.strip()
            known = PINNED.fullmatch(text) or HASH.fullmatch(text)
            if bare and not bare.startswith("#") and not known:
                yield Finding(source.path, line, f"neither a pin nor a hash: {text}")


def pinned_names(source: Source) -> set[str]:
    found = (PINNED.fullmatch(line) for line in source.text.splitlines())
    return {pin.group(1) for pin in found if pin}


def declared_names(pyproject: str) -> Mapping[str, set[str]]:
    """Return {group: names}; the run-time dependencies are the group `""`."""
    project = tomllib.loads(pyproject)["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        group: {_name(requirement) for requirement in requirements}
        for group, requirements in groups.items()
    }


def _name(requirement: str) -> str:
    found = REQUIREMENT.match(requirement)
    return re.sub(r"[._-]+", "-", found.group() if found else requirement).lower()


def listed_names(decision: str) -> set[str]:
    """Return the names that a decision gives one line each, as `- name: …`."""
    return set(re.findall(r"^- `([a-z0-9-]+)`: \S", decision, re.MULTILINE))


def shell_commands(readme: str) -> Mapping[str, str]:
    """Return {heading: command} of the one-line `sh` blocks right below a heading."""
    return dict(COMMAND.findall(readme))
