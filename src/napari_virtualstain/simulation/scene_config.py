"""Everything that can be set about a simulated scene, with units."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Microscope:
    """The optics; defaults are those of the H9c2 recordings (60x 1.42 oil).

    Attributes
    ----------
    na : float
        Numerical aperture of the objective.
    n_immersion, n_sample : float
        Refractive indices of the oil and of the cell.
    emission_um : float
        Wavelength of the fluorescence.
    focus_depth_um : float
        Depth of the focal plane below the cover glass; sets the spherical aberration.
    illumination_um : float
        Wavelength of the bright-field light.
    condenser_na : float
        Numerical aperture of the illumination.
    bright_field_offset_um : float
        How much nearer to the objective the bright-field focus lies than that of the
        fluorescence. A pure phase object in focus is invisible: this makes it visible.
    residual_blur_um : float
        Standard deviation of a Gaussian for what the scalar theory leaves out: polarisation,
        movement during the exposure, the camera. Without it, simulated images have three
        times the power of the real ones at 2 cycles/µm.
    """

    na: float = 1.42
    n_immersion: float = 1.515
    n_sample: float = 1.38
    emission_um: float = 0.608
    focus_depth_um: float = 2.0
    illumination_um: float = 0.45
    condenser_na: float = 0.5
    bright_field_offset_um: float = 0.35
    residual_blur_um: float = 0.08


@dataclass(frozen=True, slots=True)
class Mitochondria:
    """Shape and label of the mitochondria.

    Attributes
    ----------
    persistence_um : float
        Persistence length of the worm-like centreline.
    length_um : tuple of float
        Shortest and longest; the logarithm is normal, two sd inside these.
    radius_um : tuple of float
        Smallest and largest radius, uniform.
    height_sd_um : float
        Spread of the heights of in-focus mitochondria about the focal plane.
    in_focus_um : float
        A mitochondrion whose mean height is within this of the focal plane is labelled.
    out_of_focus_ratio : float
        Blurred mitochondria above and below, for each one in focus.
    cell_height_um : float
        How far above the focal plane the cell reaches at its thickest.
    emitters_per_um2 : float
        Fluorophores on the membrane.
    photons_per_um : float
        Detected photo-electrons per micrometre of tubule in the first frame.
    brightness_sd : float
        Standard deviation of the logarithm of the brightness from one to the next.
    delta_index : float
        Refractive index minus that of the cytosol.
    bleaching_s : float
        Time constant of bleaching.
    """

    persistence_um: float = 1.5
    length_um: tuple[float, float] = (0.3, 5.0)
    radius_um: tuple[float, float] = (0.14, 0.26)
    height_sd_um: float = 0.2
    in_focus_um: float = 0.5
    out_of_focus_ratio: float = 1.8
    cell_height_um: float = 3.5
    emitters_per_um2: float = 150.0
    photons_per_um: float = 20000.0
    brightness_sd: float = 0.22
    delta_index: float = 0.018
    bleaching_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion of mitochondria: drift, bending, fission and fusion.

    Attributes
    ----------
    speed_um_s : float
        Root mean square speed of the random drift.
    persistence_s : float
        How long a drift keeps its direction (Ornstein-Uhlenbeck).
    tether_s : float
        Time constant of the pull back to where it lives.
    burst_rate_hz : float
        Directed runs along the own axis, per second and mitochondrion.
    burst_speed_um_s : tuple of float
        Slowest and fastest run.
    burst_duration_s : float
        Mean duration of a run.
    bending_s : float
        Correlation time of the shape (AR(1) of the bending angles).
    height_walk_um : float
        Spread of the slow walk out of the plane.
    height_walk_s : float
        Correlation time of that walk.
    fission_rate_per_min, fusion_rate_per_min : float
        Events per minute and mitochondrion, as far as partners and spacing allow.
    event_spacing_frames : int
        Frames from one event of the movie to the next, at least.
    fusion_reach_um : float
        Ends at most this far apart may be drawn together to fuse.
    """

    speed_um_s: float = 0.03
    persistence_s: float = 6.0
    tether_s: float = 60.0
    burst_rate_hz: float = 0.01
    burst_speed_um_s: tuple[float, float] = (0.05, 0.5)
    burst_duration_s: float = 4.0
    bending_s: float = 90.0
    height_walk_um: float = 0.15
    height_walk_s: float = 30.0
    fission_rate_per_min: float = 0.12
    fusion_rate_per_min: float = 0.12
    event_spacing_frames: int = 3
    fusion_reach_um: float = 1.5


@dataclass(frozen=True, slots=True)
class Cell:
    """Surroundings of the mitochondria.

    Attributes
    ----------
    crowding : float
        0: mitochondria are spread evenly; 1: all gather round the nucleus.
    crowd_width_um : float
        How far the crowd reaches from the nucleus.
    nucleus_um : tuple of float
        Smallest and largest radius of the nucleus.
    nucleus_reach : tuple of float
        Nearest and farthest its centre lies from that of the field, in fields.
    granules_per_um2 : float
        Vesicles and granules in the crowd, seen in bright-field only.
    granule_radius_um : float
        Median radius; the logarithm has sd 0.35.
    granule_delta_index : float
        Refractive index minus that of the cytosol, mean.
    droplets_per_um2 : float
        Lipid droplets in the crowd: larger, strongly refracting.
    texture : float
        Strength of the fine granular texture of the cytosol, radians.
    fibres : int
        Long thin folds and fibres in a field of 20 µm.
    illumination_sd : float
        Relative sd of slow variations of the bright-field background.
    haze : float
        Diffuse fluorescence of the crowd, photo-electrons per pixel.
    clusters : float
        Heaps of large shining vesicles in a field of 20 µm, mean number.
    chromatin_delta_index : float
        Spread of the refractive index inside the nucleus.
    nucleoli : int
        Dense balls inside the nucleus.
    stress_fibres : float
        Bundles of parallel fibres in a field of 20 µm, mean number.
    folds : float
        Strength of the waves of the cell's surface, which bright-field shows as soft
        light and dark; 1 is strong.
    border_chance : float
        How often the border of the cell crosses the field: beyond it is medium only.
    """

    crowding: float = 0.7
    crowd_width_um: float = 4.0
    nucleus_um: tuple[float, float] = (4.0, 7.0)
    nucleus_reach: tuple[float, float] = (0.3, 0.6)
    granules_per_um2: float = 4.5
    granule_radius_um: float = 0.2
    granule_delta_index: float = 0.021
    droplets_per_um2: float = 0.04
    texture: float = 0.05
    fibres: int = 4
    illumination_sd: float = 0.03
    haze: float = 20.0
    clusters: float = 0.0
    chromatin_delta_index: float = 0.002
    nucleoli: int = 0
    stress_fibres: float = 0.0
    folds: float = 0.0
    border_chance: float = 0.0


@dataclass(frozen=True, slots=True)
class Camera:
    """Detection: photo-electrons to counts.

    Attributes
    ----------
    offset : float
        Counts without light.
    read_noise : float
        Standard deviation of the read noise, electrons.
    gain : float
        Counts per electron.
    background : float
        Fluorescence background everywhere, electrons per pixel.
    bright_field_electrons : float
        Mean signal of the bright-field, electrons per pixel.
    """

    offset: float = 100.0
    read_noise: float = 2.0
    gain: float = 1.0
    background: float = 15.0
    bright_field_electrons: float = 4000.0


@dataclass(frozen=True, slots=True)
class SceneConfig:
    """A whole scene. Change a part with :func:`dataclasses.replace`.

    Examples
    --------
    >>> from dataclasses import replace
    >>> calm = SceneConfig(motion=Motion(fission_rate_per_min=0, fusion_rate_per_min=0))
    >>> replace(calm, camera=Camera(read_noise=0)).motion.fission_rate_per_min
    0
    """

    microscope: Microscope = field(default_factory=Microscope)
    mitochondria: Mitochondria = field(default_factory=Mitochondria)
    motion: Motion = field(default_factory=Motion)
    cell: Cell = field(default_factory=Cell)
    camera: Camera = field(default_factory=Camera)
