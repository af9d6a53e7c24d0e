"""The command line: `isotherm-aggregator` and the flags of the job."""
