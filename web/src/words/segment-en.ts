// English, of segments: the dictionary that names every word of their own.
export const words = {
  save_segment: "Save as a segment",
  replace_segment: "Replace the segment",
  segment_name: "Name of the segment",
  open_segment: "Show the filters of {0}",
  seen_by: "Seen by",
  seen_personal: "me alone",
  seen_shared: "all who see this application",
  seen_public: "all, also by shared links",
};
export type Key = keyof typeof words;
export type Words = Record<Key, string>;
