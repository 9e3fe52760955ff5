"""Pass 2: hands, objects and what they do with each other, in metric 3D."""
