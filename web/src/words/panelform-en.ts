// English, of the form of a panel: the dictionary that names every word of their own.
export const words = {
  change_panel: "Change the panel",
  panel_name: "Name",
  drawing: "Drawn as",
  drawn_number: "numbers",
  drawn_line: "a line over time",
  drawn_bars: "a list of values",
  drawn_table: "a table",
  metrics: "What it shows",
  counted_by: "Counted by",
  most_values: "The most values",
  panel_seen_by: "Who sees it",
  panel_personal: "me alone",
  panel_shared: "all who see this application",
  panel_public: "all, also by shared links",
  save_it: "Save the panel",
  panel_kept: "The panel is kept",
  one_product_name: "Product name",
  one_product_category: "Product category",
  one_click_url: "Target of a click",
  one_outbound_url: "Target of a link",
  one_currency: "Currency",
  which_property: "Property",
  new_panel: "Add a panel",
};
export type Key = keyof typeof words;
export type Words = Record<Key, string>;
