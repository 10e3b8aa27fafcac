// English, of the page of signing in: the dictionary that names every word of its own.
export const words = {
  new_password: "New password",
  password_hint: "12 characters or more. A sentence is good.",
  set_password: "Set password and sign in",
  without_password: "Only sign in this once",
  welcome: "Welcome back",
  welcome_link: "Choose a password",
  link_old: "This link was used before, or is more than 15 minutes old. `alt user link` makes a new one.",
  wrong_password: "E-mail address, password or code are wrong.",
};

export type Key = keyof typeof words;
export type Words = Record<Key, string>;
