"""Published models as they come: a diffusers folder's components, opened, loaded, used, freed."""
