// English, of the panel of properties: the dictionary that names every word of their own.
export const words = {
  property_of: "Property",
  no_sum: "no sum",
  sum_unread: "{0} event says no number|{0} events say no number",
  property_part: "Days that were computed before {0} was chosen are missing here. On the server, `alt stats rebuild` adds them.",
  note_values: "Some days were computed before what events say was kept: `alt stats rebuild` adds it",
  note_unread: "Some events say no number where one is summed",
};
export type Key = keyof typeof words;
export type Words = Record<Key, string>;
