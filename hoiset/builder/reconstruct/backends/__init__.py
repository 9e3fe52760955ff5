"""Models that stages run on: the Protocols they fulfil and one file a model."""
