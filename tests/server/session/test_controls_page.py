"""The reference page of the controls is the registry's, and fresh."""

from server.session.reference import PAGE, main, page


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m server.session.reference"


def test_the_command_writes_the_page(tmp_path, capsys):
    assert main([str(tmp_path / "docs" / "controls.md")]) == 0
    assert (tmp_path / "docs" / "controls.md").read_text(encoding="utf-8") == page()
    assert "controls.md" in capsys.readouterr().out
