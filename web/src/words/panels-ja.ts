// Japanese, of the panels of people.
import type { Words } from "./panels-en";

export const words: Words = {
  no_panels: "パネルはまだありません",
  no_panels_about: "一覧やグラフを保存するか、ここで追加します。",
  own_panels: "自分のパネル",
  panels_of_all: "全員のパネル",
  csv_of: "CSV",
  move_before: "前へ",
  move_behind: "後ろへ",
  change_it: "変更",
  remove_panel: "削除",
  add_panel: "パネルを追加",
};
