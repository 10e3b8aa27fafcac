// English, of the panels of people: the dictionary that names every word of their own.
export const words = {
  no_panels: "No panel yet",
  no_panels_about: "A panel is a question of your own: save a list or the graph of the statistics, or add one here.",
  own_panels: "My panels",
  panels_of_all: "Panels of all",
  csv_of: "CSV of these days",
  move_before: "Move before",
  move_behind: "Move behind",
  change_it: "Change",
  remove_panel: "Remove",
  add_panel: "Add a panel",
};
export type Key = keyof typeof words;
export type Words = Record<Key, string>;
