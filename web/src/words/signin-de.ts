// German, of the page of signing in.
import type { Words } from "./signin-en";

export const words: Words = {
  new_password: "Neues Passwort",
  password_hint: "12 Zeichen oder mehr. Ein Satz ist gut.",
  set_password: "Passwort setzen und anmelden",
  without_password: "Nur dieses eine Mal anmelden",
  welcome: "Willkommen zurück",
  welcome_link: "Passwort wählen",
  link_old: "Dieser Link wurde schon benutzt oder ist älter als 15 Minuten. `alt user link` macht einen neuen.",
  wrong_password: "E-Mail-Adresse, Passwort oder Code sind falsch.",
  continue_with: "Weiter mit {0}",
  wrong_code: "Der Code ist falsch oder wurde schon benutzt. Bitte auf den nächsten warten.",
  failed_state: "Das Anmelden hat zu lange gedauert oder wurde in einem anderen Fenster begonnen. Bitte noch einmal versuchen.",
  failed_denied: "{0} hat Sie nicht angemeldet.",
  failed_provider: "{0} ist nicht erreichbar, oder die Antwort ist nicht gültig. Bitte später noch einmal versuchen; mehr steht im Protokoll von alt-web.",
  failed_unverified: "{0} bestätigt nicht, dass die E-Mail-Adresse Ihnen gehört. Bestätigen Sie sie dort und versuchen Sie es noch einmal.",
  failed_unknown: "Mit Ihrer E-Mail-Adresse darf sich hier niemand anmelden. Bitten Sie einen Eigentümer dieser Installation, Sie hinzuzufügen.",
  failed_other: "Ihre E-Mail-Adresse gehört zu einem anderen Konto bei {0}. Fragen Sie einen Eigentümer dieser Installation.",
  failed_often: "Zu viele Versuche. Bitte in einer Minute noch einmal versuchen.",
  failed_later: "Der Server kann gerade niemanden anmelden. Bitte gleich noch einmal versuchen.",
};
