// German, of the form of a panel.
import type { Words } from "./panelform-en";

export const words: Words = {
  change_panel: "Kachel ändern",
  panel_name: "Name",
  drawing: "Darstellung",
  drawn_number: "Zahlen",
  drawn_line: "Linie über die Zeit",
  drawn_bars: "Liste von Werten",
  drawn_table: "Tabelle",
  metrics: "Was sie zeigt",
  counted_by: "Gezählt nach",
  most_values: "Höchstens so viele Werte",
  panel_seen_by: "Wer sie sieht",
  panel_personal: "nur ich",
  panel_shared: "alle, die diese Anwendung sehen",
  panel_public: "alle, auch über geteilte Links",
  save_it: "Kachel sichern",
  panel_kept: "Die Kachel ist gesichert",
  one_product_name: "Produktname",
  one_product_category: "Produktkategorie",
  one_click_url: "Ziel eines Klicks",
  one_outbound_url: "Ziel eines Links",
  one_currency: "Währung",
  which_property: "Eigenschaft",
  new_panel: "Kachel hinzufügen",
};
