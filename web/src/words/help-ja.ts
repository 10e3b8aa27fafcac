import type { Words } from "./help-en";

export const words: Words = {
  help_about: "文字入力中以外はどこでも使えます。",
  key_filter: "フィルターを追加",
  key_clear: "フィルターをすべて解除",
  key_compare: "比較",
  key_interval: "次の間隔",
  key_table: "表とグラフの切替",
  key_metric: "1〜6番目の数値",
  key_back: "前の期間、次の期間",
};
