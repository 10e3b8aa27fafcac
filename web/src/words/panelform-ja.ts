// Japanese, of the form of a panel.
import type { Words } from "./panelform-en";

export const words: Words = {
  change_panel: "パネルを変更",
  panel_name: "名前",
  drawing: "表示方法",
  drawn_number: "数値",
  drawn_line: "時系列の線",
  drawn_bars: "値の一覧",
  drawn_table: "表",
  metrics: "表示する数値",
  counted_by: "集計の単位",
  most_values: "値の最大数",
  panel_seen_by: "公開範囲",
  panel_personal: "自分だけ",
  panel_shared: "このアプリケーションを見る全員",
  panel_public: "共有リンクを含む全員",
  save_it: "パネルを保存",
  panel_kept: "パネルを保存しました",
  one_product_name: "商品名",
  one_product_category: "商品カテゴリー",
  one_click_url: "クリック先",
  one_outbound_url: "リンク先",
  one_currency: "通貨",
  which_property: "プロパティ名",
  new_panel: "パネルを追加",
};
