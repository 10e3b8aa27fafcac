import type { Words } from "./retention-en";

// Japanese, of the page of people.
export const words: Words = {
  came_back: "再訪した人、{0}",
  per: "集計単位",
  per_day: "日",
  per_week: "週",
  per_month: "月",
  after_day: "{0} 日後",
  after_week: "{0} 週間後",
  after_month: "{0} か月後",
  as_numbers: "人数",
  n_people: "人",
  n_new: "新規",
  n_returning: "再訪",
  n_churned: "離脱",
  of_cohort: "{1} 人中 {0} 人",
  grid_about: "各行は、その期間に初めて来た人と、以降の各期間に来た人の割合を示します。",
  not_whole: "期間の一部のみ: まだ増える可能性があり、離脱はまだ確定していません",
  who_counts: "人は、サイトが送る user_id です。新規: この期間で初めて。離脱: 前の期間に来て、この期間に来ていない。",
  nobody_fits: "このフィルターに合う既知の人はいません",
  nobody: "再訪を判別できる人がいません",
  nobody_about: "訪問者は毎日新しく数えられます。再訪を示すには、サインインした人をサイトから伝える必要があります:",
  nobody_how: "ページに 1 行追加し、メールアドレスではない独自の ID を使ってください。統計には秘密鍵によるハッシュのみが保存されます。数値は送信を始めた日から始まります。",
  people_unknown: "一部の日は人を判別する前に計算されたため、数えられていません。`alt stats rebuild` で再計算できます。",
  keys_replaced: "この期間中に秘密鍵が置き換えられました。前後の両方に来た人は 2 回数えられます。`alt stats rebuild` で再計算できます。",
};
