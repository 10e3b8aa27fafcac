import type { Words } from "./segment-en";

export const words: Words = {
  save_segment: "Als Segment speichern",
  replace_segment: "Segment ersetzen",
  segment_name: "Name des Segments",
  open_segment: "Filter von {0} zeigen",
  seen_by: "Sichtbar für",
  seen_personal: "mich allein",
  seen_shared: "alle, die diese Anwendung sehen",
  seen_public: "alle, auch über Freigaben",
};
