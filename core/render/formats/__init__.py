"""Files that an audit writes, one file per output format; this folder is the registry."""
