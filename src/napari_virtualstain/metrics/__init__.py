"""Scores of virtual stains, outlines and tracks."""

from __future__ import annotations

from .baselines import BASELINES, baselines, compare
from .distributions import histogram, intensity_confusion, js_divergence, kl_divergence
from .evaluation import COLUMNS, evaluate, find_ranges
from .foreground_scores import brightness_jumps, foreground_scores, mask_iou, otsu_mask
from .identity import event_scores, identity_scores
from .intervals import Interval, bootstrap_interval, summarise
from .objects import boundary_f1, evaluate_labels, match_objects, object_scores
from .report import Report, scores_and_baselines, write_report
from .similarity import band_pass, bandpass_pearson, nrmse, pearson, psnr, ssim, ssim_map
from .spectrum import fourier_ring_correlation, frc_summary

__all__ = [
    "BASELINES",
    "COLUMNS",
    "Interval",
    "Report",
    "band_pass",
    "bandpass_pearson",
    "baselines",
    "bootstrap_interval",
    "boundary_f1",
    "brightness_jumps",
    "compare",
    "evaluate",
    "evaluate_labels",
    "event_scores",
    "find_ranges",
    "foreground_scores",
    "fourier_ring_correlation",
    "frc_summary",
    "histogram",
    "identity_scores",
    "intensity_confusion",
    "js_divergence",
    "kl_divergence",
    "mask_iou",
    "match_objects",
    "nrmse",
    "object_scores",
    "otsu_mask",
    "pearson",
    "psnr",
    "scores_and_baselines",
    "ssim",
    "ssim_map",
    "summarise",
    "write_report",
]
