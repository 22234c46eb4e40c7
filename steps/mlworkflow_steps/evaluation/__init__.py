"""What there is to say about a model on a table: measured here, written down by `evaluation.facts`, shown by `report.evaluation_page`. Pure, but for the clock of `latency`."""
