"""The page's server: what `mlworkflow.runs` has, as JSON, events and previews, for the front end in `web/`."""
