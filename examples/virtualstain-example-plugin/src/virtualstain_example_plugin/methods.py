"""The methods themselves, each a few lines."""

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops_table

SEARCH_RADIUS_UM = 1.0


def dark_is_bright(bright_field, *, pixel_size_um=None):
    """Return how much darker each pixel is than its surroundings, (Y, X) float32."""
    image = np.asarray(bright_field, dtype=np.float32)
    surroundings = ndimage.gaussian_filter(image, 1.0 / (pixel_size_um or 0.08))
    return np.maximum(surroundings - image, 0)


def otsu(fluorescence, *, pixel_size_um=None):
    """Return the connected pixels above Otsu's threshold after smoothing, (Y, X) int32."""
    image = ndimage.gaussian_filter(np.asarray(fluorescence, dtype=np.float32), 1)
    if image.min() == image.max():
        return np.zeros(image.shape, np.int32)
    return label(image > threshold_otsu(image)).astype(np.int32)


def nearest(labels, *, intensity=None, pixel_size_um=1.0, frame_interval_s=1.0):
    """Return tracks that join each label to the nearest one of the frame before."""
    tables, following, previous = [], 1, None
    for frame, image in enumerate(np.asarray(labels)):
        table = pd.DataFrame(regionprops_table(image, properties=("label", "centroid")))
        table.columns = ["label", "y_um", "x_um"]
        table[["y_um", "x_um"]] *= pixel_size_um
        table.insert(0, "frame", frame)
        table.insert(0, "track_id", 0)
        if previous is not None and len(previous) and len(table):
            distance = cdist(table[["y_um", "x_um"]], previous[["y_um", "x_um"]])
            mutual = (distance == distance.min(0)) & (distance == distance.min(1)[:, None])
            here, before = np.nonzero(mutual & (distance < SEARCH_RADIUS_UM))
            table.loc[table.index[here], "track_id"] = previous.track_id.to_numpy()[before]
        new = table.track_id == 0
        table.loc[new, "track_id"] = np.arange(following, following + new.sum())
        following += new.sum()
        tables.append(table)
        previous = table
    return pd.concat(tables, ignore_index=True)
