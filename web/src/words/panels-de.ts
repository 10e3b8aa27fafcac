// German, of the panels of people.
import type { Words } from "./panels-en";

export const words: Words = {
  no_panels: "Noch keine Kachel",
  no_panels_about: "Eine Kachel ist eine eigene Frage: Sichern Sie eine Liste oder den Graphen der Statistik, oder fügen Sie hier eine hinzu.",
  own_panels: "Meine Kacheln",
  panels_of_all: "Kacheln für alle",
  csv_of: "CSV dieser Tage",
  move_before: "Nach vorn",
  move_behind: "Nach hinten",
  change_it: "Ändern",
  remove_panel: "Entfernen",
  add_panel: "Kachel hinzufügen",
};
