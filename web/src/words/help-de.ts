import type { Words } from "./help-en";

export const words: Words = {
  help_about: "Tasten wirken überall, wo kein Text getippt wird.",
  key_filter: "Filter hinzufügen",
  key_clear: "Alle Filter entfernen",
  key_compare: "Vergleichen",
  key_interval: "Nächstes Intervall",
  key_table: "Tabelle oder Diagramm",
  key_metric: "Erste bis sechste Zahl",
  key_back: "Tage davor, Tage danach",
};
