// English, of the list of keys: the dictionary that names every word of their own.
export const words = {
  help_about: "Keys work wherever no text is typed.",
  key_filter: "Add a filter",
  key_clear: "Remove all filters",
  key_compare: "Compare",
  key_interval: "Next interval",
  key_table: "Table or chart",
  key_metric: "First to sixth number",
  key_back: "Days before, days after",
};
export type Key = keyof typeof words;
export type Words = Record<Key, string>;
