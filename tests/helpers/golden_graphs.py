"""The cases of the golden data, wired through the nodes."""

from dataclasses import dataclass, field

from golden_cases import as_image


@dataclass(frozen=True)
class Case:
    """What is on in a case of the golden data, in the terms of the nodes."""

    mask: bool = False
    background: str | None = None
    bleach_threshold: float = 0.5
    background_factor: float = 1.0
    style: bool = False
    style_merge: float = 0.0
    sketch_strength: float = 1.0
    apply: dict = field(default_factory=dict)


CASES = {
    "plain": Case(),
    "foreground": Case(mask=True),
    "background": Case(mask=True, background="bleached_reference"),
    "background_image": Case(mask=True, background="background_image"),
    "style": Case(style=True),
    "style_background_image": Case(
        mask=True, background="background_image", style=True, style_merge=0.25, apply={"merge": 0.25}
    ),
    "all": Case(mask=True, background="bleached_reference", style=True),
    "thresholds": Case(mask=True, background="bleached_reference", bleach_threshold=0.3, apply={"threshold": 0.4}),
    "scaled": Case(
        mask=True,
        background="bleached_reference",
        background_factor=0.8,
        style=True,
        sketch_strength=1.2,
        apply={
            "foreground_strength": 0.7,
            "background_strength": 0.9,
            "merge": 0.3,
            "encoder_strength": 0.9,
            "color_strength": 0.8,
            "semantic_strength": 0.6,
        },
    ),
}

#: Of XL; what is on in each stands in the golden data.
XL_CASES = ["plain", "background", "background_image", "merge", "strengths", "thresholds", "scaled"]


class V2Graph:
    """Wires the cases of version 2."""

    def __init__(self, pack, loaded, golden):
        self.pack = pack
        self.model, self.colorizer, self.control_net, self.vae, self.clip_vision = loaded
        self.images = {name: as_image(golden[f"images/in/{name}"]) for name in ("reference", "background", "sketch")}
        self.masks = {name: golden[f"images/in/{name}"][:, 0] for name in ("reference_mask", "sketch_mask")}
        self.height, self.width = self.images["sketch"].shape[1:3]

    def wire(self, case: Case):
        """Return (carrier, model, positive, negative)."""
        pack, images, masks = self.pack, self.images, self.masks
        common = {"colorizer": self.colorizer, "vae": self.vae, "clip_vision": self.clip_vision, "width": self.width}
        common["height"] = self.height
        (carrier,) = pack.run("ColorizeEncodeReference", clip_vision=self.clip_vision, image=images["reference"])
        if case.style:
            extra = {"background": images["background"], "merge": case.style_merge} if case.style_merge else {}
            (carrier,) = pack.run("ColorizeEncodeStyle", carrier=carrier, image=images["reference"], **common, **extra)
        if case.background:
            image = images["background"]
            if case.background == "bleached_reference":
                (image,) = pack.run(
                    "ColorizeBleach",
                    image=images["reference"],
                    mask=masks["reference_mask"],
                    threshold=case.bleach_threshold,
                )
            (carrier,) = pack.run(
                "ColorizeEncodeBackground",
                carrier=carrier,
                image=image,
                strength=case.background_factor,
                source=case.background,
                **common,
            )
        optional = {"sketch_mask": masks["sketch_mask"]} if case.mask else {}
        patched, positive, negative = pack.run(
            "ColorizeApply", model=self.model, colorizer=self.colorizer, carrier=carrier, **optional, **case.apply
        )
        positive, negative = pack.run(
            "ControlNetApplyAdvanced",
            positive=positive,
            negative=negative,
            control_net=self.control_net,
            image=images["sketch"],
            strength=case.sketch_strength,
            start_percent=0.0,
            end_percent=1.0,
        )
        return carrier, patched, positive, negative


class XLGraph:
    """Wires the cases of one model of XL."""

    def __init__(self, pack, loaded, golden):
        self.pack, self.golden = pack, golden
        self.model, self.colorizer, self.control_net, self.vae, self.clip_vision = loaded
        names = ("reference", "background", "sketch")
        self.images = {name: as_image(golden[f"images/in/{name}"]) for name in names}
        self.masks = {name: golden[f"images/in/{name}_mask"][:, 0] for name in ("reference", "sketch")}
        self.height, self.width = self.images["sketch"].shape[1:3]

    def params(self, model, name):
        """Return a case's parameters, numbers as numbers."""
        group = self.golden.group(f"case/{model}/{name}/param")
        return {key: value.tolist() for key, value in group.items()}

    def picture(self, name, threshold=0.5):
        """Return the reference, the background or the bleached reference."""
        if name != "bleached":
            return self.images[name]
        mask = self.masks["reference"]
        return self.pack.run("ColorizeBleach", image=self.images["reference"], mask=mask, threshold=threshold)[0]

    def reference(self, picture):
        """Encode a reference."""
        inputs = {"clip_vision": self.clip_vision, "colorizer": self.colorizer}
        return self.pack.run("ColorizeEncodeReference", image=picture, **inputs)[0]

    def background(self, carrier, param):
        """Encode the background of a case."""
        own = bool(param["use_bg"])
        return self.pack.run(
            "ColorizeEncodeBackground",
            carrier=carrier,
            colorizer=self.colorizer,
            vae=self.vae,
            clip_vision=self.clip_vision,
            image=self.picture("background") if own else self.picture("bleached", param["mask_ts"]),
            width=self.width,
            height=self.height,
            source="background_image" if own else "bleached_reference",
            sketch_mask=self.masks["sketch"],
            image_mask=self.masks["reference"],
        )[0]

    def wire(self, param):
        """Return (carrier, model, positive, negative)."""
        carrier = self.reference(self.images["reference"])
        inputs = {}
        if param["bg_enhance"]:
            carrier = self.background(carrier, param)
            inputs["sketch_mask"] = self.masks["sketch"]
        levels = {"encoder": "encoder", "color": "middle", "semantic": "low"}
        inputs |= {
            f"{ours}_strength": param.get(f"level.{theirs}", param["strength"]) for ours, theirs in levels.items()
        }
        inputs |= {"foreground_strength": param["fg_strength"], "background_strength": param["bg_strength"]}
        inputs |= {"merge": param["merge_scale"], "threshold": param["mask_ss"]}
        model, *conditionings = self.pack.run(
            "ColorizeApply", model=self.model, colorizer=self.colorizer, carrier=carrier, **inputs
        )
        scales = {f"hint_{number}": scale for number, scale in enumerate(param["ctl_scale"])}
        (control,) = self.pack.run("ColorizeHintStrengths", control_net=self.control_net, **scales)
        return carrier, model, *self.sketch(*conditionings, self.images["sketch"], control)

    def sketch(self, positive, negative, image, control=None):
        """Send conditionings through Apply ControlNet."""
        inputs = {"control_net": control or self.control_net, "image": image, "strength": 1.0}
        inputs |= {"start_percent": 0.0, "end_percent": 1.0}
        return self.pack.run("ControlNetApplyAdvanced", positive=positive, negative=negative, **inputs)
