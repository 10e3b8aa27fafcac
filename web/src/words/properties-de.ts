// German, of the panel of properties.
import type { Words } from "./properties-en";

export const words: Words = {
  property_of: "Eigenschaft",
  no_sum: "keine Summe",
  sum_unread: "{0} Ereignis nennt keine Zahl|{0} Ereignisse nennen keine Zahl",
  property_part: "Tage, die berechnet wurden, bevor {0} gewählt war, fehlen hier. Auf dem Server ergänzt sie `alt stats rebuild`.",
  note_values: "Einige Tage wurden berechnet, bevor Angaben der Ereignisse behalten wurden: `alt stats rebuild` ergänzt sie",
  note_unread: "Einige Ereignisse nennen keine Zahl, wo summiert wird",
};
