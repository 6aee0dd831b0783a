"""Which engine, model and options a request for stems means, decided when the job is made.

Owner: nobody; pure but for a look at what is installed. Nothing heavy is loaded.
"""

from collections.abc import Mapping
from typing import Any

import anyio.to_thread

from pipeline.engines import base, choices
from pipeline.errors import PipelineError
from server.errors import BadRequest

Offers = Mapping[str, tuple[str, ...]]
"""Engines that connected workers can run, with their models, best first."""


async def resolve(engine: str, model: str, offers: Offers, options: Mapping[str, Any]) -> tuple[str, str]:
    """Return the engine and model to run. What workers offer counts, else what this machine could do.

    For `auto` the model is a wish: the best engine that has it, else the best engine with its own default. Raises
    BadRequest for an engine or model that is unknown or runs nowhere.
    """
    try:
        chosen = await anyio.to_thread.run_sync(_choose, engine, model, offers, options)
        if chosen.models == ("",) or (engine == "auto" and model not in chosen.models):
            model = chosen.models[0]  # an engine without models, or without this one
        return chosen.name, base.check_model(chosen, model)
    except PipelineError as error:
        raise BadRequest(str(error), **error.details) from error


def chosen_options(options: Mapping[str, Any], engine: str) -> dict[str, Any]:
    """Return the options as they go into a job. Raises BadRequest for one that is unknown or out of range."""
    try:
        return choices.checked(options, choices.kind(engine))
    except PipelineError as error:
        raise BadRequest(str(error)) from error


def _choose(engine: str, model: str, offers: Offers, options: Mapping[str, Any]) -> base.SeparationEngine:
    """Return the engine. Raises UnknownEngine, EngineUnavailable. Looks at files, so not on the loop."""
    if engine != "auto":
        return base.engine(engine) if engine in offers else base.choose(engine, options)
    if not offers:
        best = base.choose("auto", options)
        able = [info.name for info in base.engines(options) if info.reason is None and info.name != best.name]
        offers = {name: base.engine(name).models for name in (best.name, *able)}
    offers = {name: models for name, models in offers.items() if name not in choices.PAID}
    having = [name for name, models in offers.items() if model in models]
    return base.engine((having or list(offers))[0])
