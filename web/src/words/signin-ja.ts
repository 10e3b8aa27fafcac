// Japanese, of the page of signing in.
import type { Words } from "./signin-en";

export const words: Words = {
  new_password: "新しいパスワード",
  password_hint: "12文字以上。文章がおすすめです。",
  set_password: "パスワードを設定してログイン",
  without_password: "今回だけログインする",
  welcome: "おかえりなさい",
  welcome_link: "パスワードを決める",
  link_old: "このリンクは使用済みか、15分を過ぎています。`alt user link` で新しいリンクを作れます。",
  wrong_password: "メールアドレス、パスワード、またはコードが違います。",
};
