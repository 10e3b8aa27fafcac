import type { Words } from "./help-en";

export const words: Words = {
  help_about: "글자를 입력하지 않을 때 어디서나 쓸 수 있습니다.",
  key_filter: "필터 추가",
  key_clear: "필터 모두 해제",
  key_compare: "비교",
  key_interval: "다음 간격",
  key_table: "표 또는 그래프",
  key_metric: "첫 번째~여섯 번째 숫자",
  key_back: "이전 기간, 다음 기간",
};
