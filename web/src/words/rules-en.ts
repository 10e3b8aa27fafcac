// English, of the editor of rules: the dictionary that names every word of its own.
export const words = {
  severity: "Severity",
  name: "Name",
  form: "Form",
  as_text: "Text",
  metric: "What is measured",
  property: "Of the property",
  sample: "Of numbers that are sent",
  holds_when: "Holds when it is",
  window: "Over the last",
  for_time: "For at least",
  keep_time: "And goes on for",
  group_by: "One alert for each",
  recover: "Over when",
  description: "Note",
  channels_of: "Channels (all if empty)",
  save: "Save",
  trial: "With the last 30 days",
  trial_none: "It would not have fired.",
  trial_n: "It would have fired once.|It would have fired {0} times.",
  trial_reading: "Read up to {0}",
  trial_waits: "A rule that is whole is tried here.",
};
export type Key = keyof typeof words;
export type Words = Record<Key, string>;
