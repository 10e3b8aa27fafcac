// English, of silences and statistics of alerts: the dictionary that names every word of their own.
export const words = {
  silences_about: "Nobody is told of alerts that a silence is about. They are listed all the same.",
  no_silences: "Nothing is silenced",
  add_silence: "Silence",
  every_rule: "every rule",
  until_time: "Until",
  end_it: "End",
  for_span: "For",
  from_time: "From",
  begins: "From (empty: now)",
  each_week: "each week, in the windows",
  windows: "Windows of the week, {0}",
  would_silence: "This is about one open alert:|This is about {0} open alerts:",
  would_silence_none: "No alert that is open would be silenced.",
  by_severity: "By severity",
  severity_of: "Severity",
  until_ack: "Mean time to acknowledge",
  until_end: "Mean time to end",
  noisiest: "Rules with most alerts",
  open_for: "Open for",
  days_n: "1 day|{0} days",
  none_of_days: "No alert began in this time",
};
export type Key = keyof typeof words;
export type Words = Record<Key, string>;
