"""The tables of options on the page about `sennit serve` say what there is."""

import re

from sennit.serving.settings import SETTINGS

from .pages import ROOT


def test_every_option_and_its_default_is_on_the_page() -> None:
    page = (ROOT / "docs" / "serve.md").read_text()
    rows = re.findall(r"^\| `(--[a-z-]+)`(?:, `(-\w)`)? \| ?(.*?) ?\|", page, re.MULTILINE)
    documented = {option: default.strip("`") for option, _, default in rows}
    assert list(documented) == [setting.option for setting in SETTINGS]
    for setting in SETTINGS:
        if isinstance(setting.default, float):
            assert float(documented[setting.option]) == setting.default
        elif isinstance(setting.default, str | int) and not isinstance(setting.default, bool):
            assert documented[setting.option] == str(setting.default)
