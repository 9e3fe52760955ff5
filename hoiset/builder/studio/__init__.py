"""Rendered clips with exact ground truth: a modelled hand handles modelled objects in front of a virtual camera."""
