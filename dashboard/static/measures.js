// What there is of each state beside its average: the shown rows of aggregator/analytics/measures.py.

/** [name of the list in a scope of the snapshot, what it is called] */
export const MEASURES = [
  ["minimum_temperature_by_state", "Minimum"],
  ["maximum_temperature_by_state", "Maximum"],
];
