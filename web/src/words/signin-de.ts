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
};
