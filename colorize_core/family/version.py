"""What a row of the table of versions says.

A version is known by the names of its tensors alone. Everything that differs between versions and can be said in a
table stands in its row; what must be computed stands in the module of the version, here and in the host layer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ..sampling.settings import Block

#: Prefix of the denoising UNet in every version.
UNET = "model.diffusion_model."
#: Beginnings of names that some trainers save and that no part of any version needs.
NEVER_TAKEN = ("model_ema.", "loss.", "first_stage_model.loss.")


@dataclass(frozen=True)
class Part:
    """A part of a checkpoint.

    Attributes:
        id: key in `Parts`.
        name: in a sentence.
        key: a tensor that shows it is there; empty for a part that a file may leave out.
        prefix: of its tensors, which is cut off.
        mark: what else stands in their names.
    """

    id: str
    name: str
    key: str
    prefix: str
    mark: str = ""

    def has(self, key: str) -> bool:
        """Whether a tensor of this name belongs here."""
        return key.startswith(self.prefix) and self.mark in key[len(self.prefix) :]


@dataclass(frozen=True)
class Version:
    """A version of ColorizeDiffusion.

    Attributes:
        id: what a carrier's file calls it.
        name: for people.
        marks: each a group of pieces of names; a file in which one group's pieces all occur is of this version.
        parts: the one with the longest beginning takes a tensor; what none takes is left.
        ignored, leftovers: beginnings of names, and pieces of them, that no part takes.
        advice: which file to use, for messages.
        needs: image encoders that the user must load where the file has none, for messages.
        levels: the transformers that each of the level strengths governs; all others stay at 1.
        one_strength: whether there is one reference strength for all attentions, so that the levels must agree.
        eps_by_name: whether a file's name may say that it predicts eps; else it is v.
        has_style: whether it takes a style.
        own_tokens: whether reference tokens are made by the checkpoint, so that they fit no other.
        pixels: of the pictures it was trained on, for sizes.
    """

    id: str
    name: str
    marks: tuple[tuple[str, ...], ...]
    parts: tuple[Part, ...]
    advice: str
    needs: str
    levels: Mapping[str, tuple[Block, ...]]
    ignored: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    one_strength: bool = False
    eps_by_name: bool = True
    has_style: bool = False
    own_tokens: bool = False
    pixels: int = 768 * 768

    @property
    def short_name(self) -> str:
        """What people call it among the others."""
        return self.name.removeprefix("ColorizeDiffusion ")

    @property
    def required(self) -> list[Part]:
        """The parts that every file must have."""
        return [part for part in self.parts if part.key]

    def part_of(self, key: str) -> Part | None:
        """Return the part that a tensor of this name belongs to, None for one that no part takes."""
        if key.startswith((*NEVER_TAKEN, *self.ignored)) or any(piece in key for piece in self.leftovers):
            return None
        taking = [part for part in self.parts if part.has(key)]
        return max(taking, key=lambda part: len(part.prefix + part.mark), default=None)

    def fits(self, keys: Iterable[str]) -> bool:
        """Whether a file with tensors of these names is of this version, complete or not."""
        names = list(keys)
        return any(all(any(piece in name for name in names) for piece in group) for group in self.marks)


@dataclass(frozen=True)
class Parts:
    """A checkpoint's tensors by part, without prefixes.

    Attributes:
        version: whose parts they are.
        tensors: by part and name; every part of the version is there, if empty.
    """

    version: Version
    tensors: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def __getitem__(self, part: str) -> dict[str, Tensor]:
        """Return the tensors of a part."""
        return self.tensors[part]
