"""Folders of models that ComfyUI does not know by itself."""

import os

import folder_paths

SEGMENTERS = "colorize_segmenters"
LINE_EXTRACTORS = "colorize_line_extractors"
TAGGERS = "colorize_taggers"


def register_model_folders() -> None:
    """Add our folders under ComfyUI's models folder to its search paths.

    Paths that extra_model_paths.yaml gave before are kept, in front if it says `is_default`; those that come later are
    added by ComfyUI itself.
    """
    for folder in (SEGMENTERS, LINE_EXTRACTORS, TAGGERS):
        folder_paths.add_model_folder_path(folder, os.path.join(folder_paths.models_dir, folder))
        paths, extensions = folder_paths.folder_names_and_paths[folder]
        # A folder that ComfyUI does not know starts without extensions, and would offer every file in it as a model.
        folder_paths.folder_names_and_paths[folder] = (paths, extensions | folder_paths.supported_pt_extensions)
