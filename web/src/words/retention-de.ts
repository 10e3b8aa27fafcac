import type { Words } from "./retention-en";

// German, of the page of people.
export const words: Words = {
  came_back: "Wer wiederkam, {0}",
  per: "Menschen nach",
  per_day: "Tag",
  per_week: "Woche",
  per_month: "Monat",
  after_day: "{0} Tag später|{0} Tage später",
  after_week: "{0} Woche später|{0} Wochen später",
  after_month: "{0} Monat später|{0} Monate später",
  as_numbers: "Zahlen",
  n_people: "Menschen",
  n_new: "Neu",
  n_returning: "Wieder da",
  n_churned: "Weg",
  of_cohort: "{0} von {1}",
  grid_about: "Jede Zeile hat die Menschen, die in ihrem Zeitraum zuerst kamen, und welcher Anteil von ihnen in jedem Zeitraum danach da war.",
  not_whole: "kein ganzer Zeitraum: Es können noch mehr kommen, und wer weg ist, steht noch nicht fest",
  who_counts: "Ein Mensch ist eine user_id, die die Website sendet. Neu: zum ersten Mal in dieser Zeit. Weg: im Zeitraum davor da, in diesem nicht.",
  nobody_fits: "Von denen, die diese Filter behalten, ist niemand bekannt",
  nobody: "Niemand wird wiedererkannt",
  nobody_about: "Besucher werden jeden Tag neu gezählt. Um zu zeigen, wer wiederkommt, muss Ihre Website sagen, wer angemeldet ist:",
  nobody_how: "Eine Zeile auf Ihren Seiten, mit einer eigenen Kennung und keiner Adresse. In der Statistik steht nur ein Hash davon, mit geheimem Schlüssel. Die Zahlen beginnen mit dem Tag, an dem sie gesendet wird.",
  people_unknown: "Einige Tage wurden berechnet, bevor Menschen bekannt waren: Von ihnen zählt niemand. `alt stats rebuild` berechnet sie neu.",
  keys_replaced: "Der geheime Schlüssel wurde in dieser Zeit ersetzt: Wer davor und danach da war, zählt zweimal. `alt stats rebuild` berechnet die Tage neu.",
};
