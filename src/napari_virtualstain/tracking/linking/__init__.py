"""Frame-to-frame linking: candidate pairs, costs, assignment, link quality, stitching."""
