// Japanese, of the panel of properties.
import type { Words } from "./properties-en";

export const words: Words = {
  property_of: "プロパティ名",
  no_sum: "合計なし",
  sum_unread: "数値でないイベント {0} 件",
  property_part: "{0} を選ぶ前に計算された日はここに含まれません。サーバーで `alt stats rebuild` を実行すると追加されます。",
  note_values: "一部の日はイベントの内容を保存する前に計算されました。`alt stats rebuild` で追加されます",
  note_unread: "合計の対象に数値でないイベントがあります",
};
