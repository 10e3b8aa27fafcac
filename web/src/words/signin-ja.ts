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
  continue_with: "{0}で続ける",
  wrong_code: "コードが違うか、使用済みです。次のコードをお待ちください。",
  failed_state: "ログインに時間がかかりすぎたか、別のウィンドウで開始されました。もう一度お試しください。",
  failed_denied: "{0}でログインできませんでした。",
  failed_provider: "{0}に接続できないか、応答が正しくありません。しばらくしてからお試しください。詳細はalt-webのログにあります。",
  failed_unverified: "{0}でメールアドレスが確認されていません。確認してから、もう一度お試しください。",
  failed_unknown: "このメールアドレスではログインできません。管理者に追加を依頼してください。",
  failed_other: "このメールアドレスは{0}の別のアカウントに結び付いています。管理者にお問い合わせください。",
  failed_often: "試行回数が多すぎます。1分後にもう一度お試しください。",
  failed_later: "現在ログインできません。しばらくしてからもう一度お試しください。",
};
