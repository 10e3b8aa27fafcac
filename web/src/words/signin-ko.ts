// Korean, of the page of signing in.
import type { Words } from "./signin-en";

export const words: Words = {
  new_password: "새 비밀번호",
  password_hint: "12자 이상. 문장이 좋습니다.",
  set_password: "비밀번호를 정하고 로그인",
  without_password: "이번 한 번만 로그인",
  welcome: "다시 오신 것을 환영합니다",
  welcome_link: "비밀번호 정하기",
  link_old: "이미 사용했거나 15분이 지난 링크입니다. `alt user link`로 새 링크를 만듭니다.",
  wrong_password: "이메일 주소, 비밀번호 또는 코드가 올바르지 않습니다.",
};
