"""The page's own checks: types, unit tests, and what its lock file says."""

import json
import re

from tests.web.conftest import WEB, npm


def test_types_are_strict_and_sound() -> None:
    done = npm("run", "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_unit_tests_pass() -> None:
    done = npm("test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_lock_file_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    assert lock["packages"]
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert name == "" or "integrity" in package, name


def test_the_page_never_writes_markup() -> None:
    for source in (WEB / "src").rglob("*"):
        if source.suffix in (".svelte", ".ts"):
            text = source.read_text(encoding="utf-8")
            assert not re.search(r"\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
                source
            )
