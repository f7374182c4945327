"""The log of `sennit serve`: on standard error, unless the program or a file configures logging."""

import json
import logging
import logging.config
import tomllib
from pathlib import Path

from sennit.serving.settings import SettingError, Settings
from sennit.serving.standby_log import StandbyHandler

_FORMAT = "%(asctime)s [%(process)d] %(levelname)s: %(message)s"


def configure(settings: Settings) -> None:
    """Set logging up. Raises SettingError for a file that can't be used."""
    logger = logging.getLogger("sennit")
    logger.setLevel(settings.log_level.upper())
    if settings.log_config is not None:
        _configure_from(Path(settings.log_config))
        return
    handler = StandbyHandler()
    handler.setFormatter(logging.Formatter(_FORMAT, "%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)


def _configure_from(path: Path) -> None:
    try:
        if path.suffix == ".json":
            logging.config.dictConfig(json.loads(path.read_text(encoding="utf-8")))
        elif path.suffix == ".toml":
            logging.config.dictConfig(tomllib.loads(path.read_text(encoding="utf-8")))
        else:
            with path.open(encoding="utf-8") as file:
                logging.config.fileConfig(file, disable_existing_loggers=False)
    except OSError as error:
        raise SettingError(f"--log-config: can't read {path}: {error.strerror}") from None
    except Exception as mistake:
        # Whatever logging makes of what stands there: it has no errors of its own.
        raise SettingError(f"--log-config: {path}: {mistake}") from None
