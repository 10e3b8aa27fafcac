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
  continue_with: "Continue with {0}",
  wrong_code: "The code is wrong, or was used before. Wait for the next one.",
  failed_state: "Signing in took too long, or was begun in another window. Please try again.",
  failed_denied: "{0} did not sign you in.",
  failed_provider: "{0} cannot be asked, or its answer is not valid. Please try again later; the log of alt-web says more.",
  failed_unverified: "{0} does not confirm that your e-mail address is yours. Confirm it there, and try again.",
  failed_unknown: "Nobody with your e-mail address may sign in here. Ask an owner of this installation to add you.",
  failed_other: "Your e-mail address belongs to another account at {0}. Ask an owner of this installation.",
  failed_often: "Too many attempts. Please try again in a minute.",
  failed_later: "The server cannot sign anybody in right now. Please try again in a moment.",
};

export type Key = keyof typeof words;
export type Words = Record<Key, string>;
