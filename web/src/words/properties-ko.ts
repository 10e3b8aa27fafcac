// Korean, of the panel of properties.
import type { Words } from "./properties-en";

export const words: Words = {
  property_of: "속성 이름",
  no_sum: "합계 없음",
  sum_unread: "숫자가 아닌 이벤트 {0}개",
  property_part: "{0}을(를) 선택하기 전에 계산된 날짜는 여기에 없습니다. 서버에서 `alt stats rebuild`를 실행하면 추가됩니다.",
  note_values: "일부 날짜는 이벤트 내용을 저장하기 전에 계산되었습니다. `alt stats rebuild`로 추가됩니다",
  note_unread: "일부 이벤트는 합계할 숫자가 아닙니다",
};
