"""Batches of pictures and the images that are sampled with them."""

from collections.abc import Sequence

from ..errors import ColorizeError

#: What a batch of pictures is called, and where it came from, for messages.
_GIVEN = {
    "masks": ("The sketch mask holds {count} masks", "Give Apply Colorization one mask"),
    "references": (
        "The carrier holds {count} references",
        "Several views of one character: set `several` of Encode Reference to views_of_one_character. Else give it one "
        "picture",
    ),
    "backgrounds": ("The carrier holds {count} backgrounds", "Give Encode Background one picture"),
    "styles": ("The carrier holds {count} styles", "Give Encode Style one picture"),
    "line maps": ("Apply ControlNet has {count} line maps", "Give it one line map"),
    "injected references": ("Attention Injection holds {count} references", "Give it one picture"),
}


def check_pictures_fit(what: str, counts: Sequence[int], images: int) -> None:
    """Refuse batches that are neither one nor one for each of the `images` sampled together.

    Args:
        what: of `_GIVEN`. counts: how many pictures each batch holds.
    """
    for count in counts:
        if images % count:
            given, advice = _GIVEN[what]
            sampled = "1 image is sampled" if images == 1 else f"{images} images are sampled together"
            raise ColorizeError(
                f"{given.format(count=count)}, but {sampled}. {advice}, or one for each image of the latent batch."
            )
