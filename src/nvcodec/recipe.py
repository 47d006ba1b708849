"""A preset's recipe for values that are there already. Loads no torch."""

from nvcodec.presets import Preset, share_epochs

SHARE_OF_EPOCHS = 0.5
"""Of the preset's, where nobody says how many."""
WARMUP = 0.05
"""Share of a stage in which its rates rise: optimizers begin without memory."""


def shortened(preset: Preset, epochs: int | None = None) -> Preset:
    """The recipe of a preset, shortened for values that are there already.

    Stages before the first that weighs rate against distortion are left out where there is one: it
    goes on from the integers as they are. Others keep what their settings make of themselves
    (`StageConfig.refined`): lower rates, masks that hold, relaxations as they were in the end.

    Args:
        preset: as for encoding.
        epochs: of all stages; None: half of what those that are left have.

    Raises:
        PresetError: fewer epochs than stages.
    """
    first = next((n for n, stage in enumerate(preset.stages) if stage.has_lmbda), 0)
    stages = [one for stage in preset.stages[first:] if (one := stage.refined()) is not None]
    total = sum(stage.epochs for stage in stages)
    wanted = epochs or max(len(stages), round(SHARE_OF_EPOCHS * total))
    shared = [
        stage.model_copy(
            update={"warmup_epochs": max(int(stage.epochs > 2), round(WARMUP * stage.epochs))}
        )
        for stage in share_epochs(stages, wanted)
    ]
    fitting = preset.fitting.model_copy(update={"warm_start": False})
    return preset.model_copy(update={"stages": tuple(shared), "fitting": fitting})
