import type { Words } from "./retention-en";

// Korean, of the page of people.
export const words: Words = {
  came_back: "다시 온 사람, {0}",
  per: "묶는 단위",
  per_day: "일",
  per_week: "주",
  per_month: "월",
  after_day: "{0}일 후",
  after_week: "{0}주 후",
  after_month: "{0}개월 후",
  as_numbers: "인원",
  n_people: "사람",
  n_new: "신규",
  n_returning: "재방문",
  n_churned: "이탈",
  of_cohort: "{1}명 중 {0}명",
  grid_about: "각 행은 해당 기간에 처음 온 사람과 이후 각 기간에 온 사람의 비율입니다.",
  not_whole: "전체 기간이 아님: 더 늘어날 수 있으며, 이탈은 아직 알 수 없습니다",
  who_counts: "사람은 사이트가 보내는 user_id입니다. 신규: 이 기간에 처음. 이탈: 이전 기간에 왔고 이 기간에 오지 않음.",
  nobody_fits: "이 필터에 맞는 알려진 사람이 없습니다",
  nobody: "다시 알아볼 수 있는 사람이 없습니다",
  nobody_about: "방문자는 매일 새로 셉니다. 다시 온 사람을 보려면 로그인한 사람을 사이트가 알려야 합니다:",
  nobody_how: "페이지에 한 줄을 추가하고, 이메일이 아닌 자체 ID를 사용하세요. 통계에는 비밀 키로 만든 해시만 저장됩니다. 숫자는 보내기 시작한 날부터 시작됩니다.",
  people_unknown: "일부 날은 사람을 알아보기 전에 계산되어 세지 않습니다. `alt stats rebuild`로 다시 계산합니다.",
  keys_replaced: "이 기간에 비밀 키가 바뀌었습니다. 전후에 모두 온 사람은 두 번 셉니다. `alt stats rebuild`로 다시 계산합니다.",
};
