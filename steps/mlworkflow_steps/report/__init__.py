"""The evaluation report: facts in, one self-contained HTML file out. Pure: no clock, no file, no network."""
