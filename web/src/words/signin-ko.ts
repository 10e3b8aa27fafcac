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
  continue_with: "{0}(으)로 계속",
  wrong_code: "코드가 올바르지 않거나 이미 사용되었습니다. 다음 코드를 기다려 주세요.",
  failed_state: "로그인에 시간이 너무 오래 걸렸거나 다른 창에서 시작되었습니다. 다시 시도해 주세요.",
  failed_denied: "{0}에서 로그인되지 않았습니다.",
  failed_provider: "{0}에 연결할 수 없거나 응답이 올바르지 않습니다. 나중에 다시 시도해 주세요. 자세한 내용은 alt-web 로그에 있습니다.",
  failed_unverified: "{0}에서 이메일 주소가 확인되지 않았습니다. 확인한 뒤 다시 시도해 주세요.",
  failed_unknown: "이 이메일 주소로는 로그인할 수 없습니다. 관리자에게 추가를 요청하세요.",
  failed_other: "이 이메일 주소는 {0}의 다른 계정에 연결되어 있습니다. 관리자에게 문의하세요.",
  failed_often: "시도 횟수가 너무 많습니다. 1분 후에 다시 시도해 주세요.",
  failed_later: "지금은 로그인할 수 없습니다. 잠시 후 다시 시도해 주세요.",
};
