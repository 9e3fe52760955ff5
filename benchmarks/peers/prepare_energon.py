# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#   "megatron-energon==7.4.1",
#   "av==18.1.0",
#   "psutil==7.2.2",
#   "torch==2.15.0",
#   "torchvision==0.29.2",
# ]
# ///
"""Index tars for Megatron Energon, as its documentation tells: ``energon prepare``."""

import sys

from megatron.energon.cli.main import main

if __name__ == "__main__":
    options = ["--non-interactive", "--split-ratio", "1,0,0", "--sample-type", "CrudeWebdataset", "--num-workers", "2"]
    main(["prepare", *options, sys.argv[1]])
