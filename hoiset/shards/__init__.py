"""The data on disk: schema, writer, reader, index, manifest, verify."""
