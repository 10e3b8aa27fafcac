// Korean, of the panels of people.
import type { Words } from "./panels-en";

export const words: Words = {
  no_panels: "아직 패널이 없습니다",
  no_panels_about: "패널은 나만의 질문입니다. 통계의 목록이나 그래프를 저장하거나 여기에서 추가하세요.",
  own_panels: "내 패널",
  panels_of_all: "모두의 패널",
  csv_of: "이 기간의 CSV",
  move_before: "앞으로 이동",
  move_behind: "뒤로 이동",
  change_it: "변경",
  remove_panel: "삭제",
  add_panel: "패널 추가",
};
