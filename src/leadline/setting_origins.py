"""What each setting is, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from .settings import Settings, is_secret, load_settings, places_of

DEFAULT = "default"
MASK = "••••••"


@dataclass(frozen=True, slots=True)
class SettingValue:
    """One setting as it is in force."""

    name: str
    value: object
    """Plain data; a secret that is set is the mask."""
    origin: str
    """What was typed, an environment variable, a file, or :data:`DEFAULT`."""
    overridden: tuple[str, ...]
    """Other places that set it, which the origin wins over; tables of several files are joined."""
    description: str
    secret: bool


def setting_values(**typed: object) -> list[SettingValue]:
    """Every setting, in the order of :class:`~leadline.settings.Settings`.

    ``typed`` are flags or arguments, of which None means "not given".

    Raises:
        ConfigError: as :func:`~leadline.settings.load_settings`.
    """
    settings = load_settings(**typed)
    plain = settings.model_dump(mode="json")
    given = [name for name, value in typed.items() if value is not None]
    values = []
    for name, field in Settings.model_fields.items():
        places = places_of(name, given)
        masked = isinstance(getattr(settings, name), SecretStr)
        values.append(
            SettingValue(
                name=name,
                value=MASK if masked else plain[name],
                origin=places[0] if places else DEFAULT,
                overridden=tuple(places[1:]),
                description=" ".join((field.description or "").split()),
                secret=is_secret(name),
            )
        )
    return values
