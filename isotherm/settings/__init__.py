"""One table of settings for each program: TOML, environment, flags, help, docs."""
