"""HTTP: site (bounded requests), health."""
