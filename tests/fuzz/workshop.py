"""Makes tensors, carriers, models and files out of the descriptions in tests/fuzz/values.py."""

import contextlib
import dataclasses
import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

#: Folders of frames: name -> the frames' numbers.
SHOTS = {"whole": (3, 4, 5), "holes": (1, 4), "none": (), "sizes": (1, 2), "broken": (1,)}
#: Published networks for pictures: name -> the folder of their files.
NETWORKS = {"isnet": "colorize_segmenters", "sketch keras": "colorize_line_extractors", "tagger": "colorize_taggers"}


class Workshop:
    """Everything that a drawn description can stand for, from real parts with tiny weights.

    Args:
        studio: of tests/graph, with the tiny checkpoint. tensors: that checkpoint's.
        others: what loading other checkpoints gives, by name.
        towers: VAEs and image towers of other kinds, by name.
        weights: functions that make tensors of the published image networks' layouts, by name.
        folder: ComfyUI's base directory.
    """

    def __init__(self, studio: Any, tensors: dict, others: dict, towers: dict, weights: dict, folder: Path) -> None:
        self.studio, self.pack, self.tensors = studio, studio.pack, tensors
        self.others, self.towers, self.weights, self.folder = others, towers, weights, folder
        self.carriers: dict[Any, Any] = {}

    # --- descriptions ---

    def made(self, value: Any) -> Any:
        """Return what a description stands for; plain values stand for themselves."""
        kind = type(value).__name__
        maker = getattr(self, f"make_{kind.lower()}", None) if hasattr(value, "__dataclass_fields__") else None
        return value if maker is None else maker(value)

    def make_numbers(self, numbers: Any) -> torch.Tensor:
        """Fill a tensor and lay it out in memory as described."""
        shape, generator = numbers.shape, torch.Generator().manual_seed(numbers.seed)
        x = torch.rand(shape, generator=generator)
        constants = {"zeros": 0.0, "ones": 1.0, "all nan": float("nan")}
        if numbers.content in constants:
            x = torch.full(shape, constants[numbers.content])
        elif numbers.content == "wide":
            x = x * 8 - 3
        elif numbers.content == "tiny":
            x = x * 1e-40
        elif numbers.content in ("nan", "inf", "-inf") and x.numel():
            x.view(-1)[numbers.seed * 7919 % x.numel()] = float(numbers.content)
        dtype = getattr(torch, numbers.dtype)
        x = x > 0.5 if dtype is torch.bool else (x.nan_to_num() * 255).to(dtype) if not dtype.is_floating_point else x
        return self.laid_out(x.to(dtype), numbers.layout)

    def laid_out(self, x: torch.Tensor, layout: str) -> torch.Tensor:
        """Return the same numbers in another memory layout."""
        if layout == "transposed" and x.ndim >= 2:
            return x.transpose(-1, -2).contiguous().transpose(-1, -2)
        if layout == "channels first" and x.ndim == 4:
            return x.movedim(-1, 1).contiguous().movedim(1, -1)
        if layout == "every other" and x.ndim:
            return torch.stack([x, torch.zeros_like(x)], dim=-1).flatten(-2)[..., ::2]
        if layout == "expanded" and x.ndim and len(x) > 1:
            return x[:1].expand(x.shape)
        if layout == "offset" and x.ndim:
            return torch.cat([torch.zeros_like(x[:1]), x])[1:] if len(x) else x
        return x

    def make_latent(self, latent: Any) -> dict[str, Any]:
        made: dict[str, Any] = {"samples": self.made(latent.samples)}
        if latent.noise_mask is not None:
            made["noise_mask"] = self.made(latent.noise_mask)
        if latent.batch_index is not None:
            made["batch_index"] = list(latent.batch_index)
        return made

    def make_conditioning(self, conditioning: Any) -> list:
        """A conditioning; its line map goes in by ComfyUI's own Apply ControlNet."""
        if conditioning.tokens is None:
            return []
        options = {} if conditioning.pooled is None else {"pooled_output": self.made(conditioning.pooled)}
        made = [[self.made(conditioning.tokens), options]]
        if conditioning.lines is not None:
            made = self.studio.sketch(made, made, self.made(conditioning.lines))[0]
        return made

    def make_letterbox(self, letterbox: Any) -> Any:
        fit_box = self.pack.module("colorize_core.prepare.letterbox").fit_box
        return fit_box(*letterbox.drawing, *letterbox.canvas)

    def make_swatches(self, swatches: Any) -> Any:
        """A palette; a shadow is named as text names it, a highlight otherwise, and a line is nobody's."""
        module = self.pack.module("colorize_core.finish.palette")
        made: list[Any] = []
        for index, color in enumerate(swatches.colors):
            name, base = f"{swatches.name} {index}", f"{swatches.name} {index - index % 2}"
            role = ("base", "shadow", "base", "highlight", "base", "line")[index % 6] if swatches.roles else "base"
            named = {"shadow": (f"{base} shadow", base), "highlight": (name, base)}.get(role, (name, ""))
            made.append(module.Swatch(named[0], color, role, named[1]))
        return module.Palette(tuple(made))

    def make_areas(self, areas: Any) -> Any:
        """Regions in a grid or in upright stripes; of a cell of one pixel nothing but its line is left."""
        module, (frames, height, width) = self.pack.module("colorize_core.finish.regions"), areas.shape
        rows, columns = (
            torch.div(torch.arange(side) * areas.cells, side, rounding_mode="floor") for side in (height, width)
        )
        rows = rows * (not areas.stripes)
        cells = (rows[:, None] * max(areas.cells, 1) + columns + 1) * bool(areas.cells)
        lines = torch.zeros(height, width, dtype=torch.bool)
        lines[1:] |= (rows.diff() > 0)[:, None]
        lines[:, 1:] |= columns.diff() > 0
        if areas.outside:
            cells[:, : width // 4] = 0
        filled = torch.unique(cells, return_inverse=True)[1] + (cells > 0).all()
        filled = filled.to(torch.int32).expand(frames, -1, -1).contiguous()
        lines = lines.expand(frames, -1, -1).contiguous()
        trace = lines.roll(2, dims=-1) & ~lines if areas.trace else None
        tables = tuple(module.table_of(frame.numpy()) for frame in filled)
        found = module.Regions(filled=filled, ink=lines, tables=tables, trace=trace)
        return found if areas.palette is None else self.painted(found, self.made(areas.palette))

    def painted(self, regions: Any, palette: Any) -> Any:
        """Give regions the swatches of a palette; some get none."""
        for table in regions.tables:
            table.swatch[:] = np.arange(len(table)) * 7 % (len(palette) + 1) - 1
            has = table.swatch >= 0
            table.color[has] = palette.colors.numpy()[table.swatch[has]]
        paint = (regions.filled * 7 % (len(palette) + 1) - 1).to(torch.int16)
        return dataclasses.replace(regions, palette=palette, paint=paint)

    def make_references(self, references: Any) -> Any:
        """A carrier, by the encode nodes."""
        if references not in self.carriers:
            self.carriers[references] = self.encode(references)
        return self.carriers[references]

    def encode(self, references: Any) -> Any:
        """Run the encode nodes."""
        studio, run = self.studio, self.pack.run
        loaded = studio if references.origin == "tiny" else self.loaded(references.origin)
        encoders = {"clip_vision": loaded.clip_vision}
        if references.origin == "xl":
            encoders["colorizer"] = loaded.colorizer
        (carrier,) = run("ColorizeEncodeReference", image=studio.picture(batch=references.rows), **encoders)
        common = {"colorizer": loaded.colorizer, "vae": loaded.vae, "clip_vision": loaded.clip_vision}
        common |= {"height": references.size[0], "width": references.size[1]}
        if references.style is not None:
            image = studio.picture("style", 20, 30, batch=references.style)
            (carrier,) = run("ColorizeEncodeStyle", carrier=carrier, image=image, **common)
        if references.background is not None:
            image = studio.picture("background", 44, 36, batch=references.background)
            (carrier,) = run("ColorizeEncodeBackground", carrier=carrier, image=image, **common)
        for mask in references.regions:
            (carrier,) = run("ColorizeAddRegion", carrier=carrier, region=carrier, mask=self.made(mask))
        return carrier

    # --- objects ---

    def make_thing(self, thing: Any) -> Any:
        """An object by its socket's type and its name."""
        return self.objects(thing.socket, thing.name)

    @functools.cache  # noqa: B019 - one workshop lives as long as the run
    def objects(self, socket: str, name: str) -> Any:
        """Make an object once."""
        if socket == "COLORIZE_SEGMENTER":
            return self.image_network("colorize_segmenters", "ColorizeSegmenterLoader", name)
        if socket == "COLORIZE_LINE_EXTRACTOR":
            return self.image_network("colorize_line_extractors", "ColorizeLineExtractorLoader", name)
        if socket == "COLORIZE_TAGGER":
            return self.image_network("colorize_taggers", "ColorizeTaggerLoader", name)
        if socket == "MODEL" and name == "linear":
            import comfy.model_patcher

            cpu = torch.device("cpu")
            return comfy.model_patcher.ModelPatcher(torch.nn.Linear(1, 1), load_device=cpu, offload_device=cpu)
        if socket == "MODEL" and name == "anonymous":
            model = self.studio.model.clone()
            model.attachments.clear()
            return model
        if socket == "MODEL" and name == "patched":
            carrier = self.studio.carrier("background_image", style=True, size=(64, 64))
            return self.studio.apply(carrier, self.studio.mask(size=(64, 64)))[0]
        if socket == "CONTROL_NET" and name == "t2i adapter":
            import comfy.controlnet

            return comfy.controlnet.ControlBase()
        if name in self.towers:
            return self.towers[name]
        return getattr(self.studio if name == "tiny" else self.loaded(name), socket.lower())

    def loaded(self, name: str) -> Any:
        """What loading another checkpoint has given."""
        if name == "fewer patches" and name not in self.others:
            key = "cond_stage_model.visual.model.positional_embedding"
            tensors = {**self.tensors, key: self.tensors[key][:10]}
            load = self.pack.module("colorize_core.host.family.checkpoint").load_tensors
            self.others[name] = load(tensors, "fewer-patches-v2.safetensors")
        return self.others[name]

    def image_network(self, folder: str, loader: str, name: str) -> Any:
        """Write a network's file, load it by its node, take the file away again."""
        path = self.folder / "models" / folder / f"fuzz {name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(self.weights[name](), str(path))
        (network,) = self.pack.run(loader, model_name=path.name)
        path.unlink()
        return network

    def digest(self, name: str) -> str:
        """Hash a loaded checkpoint's MODEL."""
        model = self.studio.model if name == "tiny" else self.loaded(name).model
        return self.studio.digest(model)

    @contextlib.contextmanager
    def files(self, carriers: dict[str, Any], write_carrier: Any) -> Iterator[None]:
        """Put files into ComfyUI's folders for the nodes that choose among files: good ones, damaged ones, others.

        Args:
            carriers: by file name. write_carrier: of the pack.
        """
        models, shots = self.folder / "models", self.folder / "input" / "fuzz"
        for place in ("checkpoints", "colorize_segmenters", "colorize_line_extractors", "colorize_taggers"):
            (models / place).mkdir(parents=True, exist_ok=True)
            save_file({"weight": torch.zeros(2)}, str(models / place / "fuzz other.safetensors"))
            (models / place / "fuzz broken.safetensors").write_bytes(b"\xff" * 40)
            (models / place / "fuzz text.ckpt").write_text("not found")
        for network, place in NETWORKS.items():
            save_file(self.weights[network](), str(models / place / f"fuzz {network}.safetensors"))
        for shot, numbers in SHOTS.items():
            (shots / shot).mkdir(parents=True)
            for number in numbers:
                size = (9, 7) if shot != "sizes" else (number, 5)
                picture = Image.new("RGBA", size, (number * 10, 200, 30, 128))
                picture.save(shots / shot / f"ink_{number:04}.png")
        (shots / "broken" / "ink_0002.png").write_bytes(b"\x89PNG")
        palettes = {"good": "Name: x\n#\n255 0 10 red\n1 2 3\n", "broken": "300 0 10 red\n"}
        for name, rows in palettes.items():  # beside the folders: one of their own would be offered as a shot's, too
            (self.folder / "input" / f"fuzz {name}.gpl").write_text(f"GIMP Palette\n{rows}")
        saved = self.folder / "input" / "carriers"
        saved.mkdir(parents=True, exist_ok=True)
        for name, carrier in carriers.items():
            write_carrier(carrier, saved / name)
        (saved / "broken.carrier.safetensors").write_bytes(b"\x08" + b"\0" * 7 + b"{}      ")
        try:
            yield
        finally:
            for place in (shots, saved, self.folder / "output"):
                shutil.rmtree(place, ignore_errors=True)
            for name in palettes:
                (self.folder / "input" / f"fuzz {name}.gpl").unlink(missing_ok=True)
            (self.folder / "output").mkdir()
            for path in models.rglob("fuzz *"):
                path.unlink()
