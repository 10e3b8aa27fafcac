//! The words of reports in each language, as the dashboard has them.

/// The words of a report in one language.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// The language, as BCP 47 has it.
    pub language: &'static str,
    /// Titles of a report, by how long its period is.
    titles: [(&'static str, &'static str); 3],
    /// The names of [`super::TOTALS`].
    pub(super) totals: [&'static str; 6],
    /// Dimensions and their names.
    dimensions: [(&'static str, &'static str); 6],
    /// Above the days.
    pub(super) by_day: &'static str,
    /// What the changes compare with.
    pub(super) compared: &'static str,
    /// Nobody came.
    pub(super) nothing: &'static str,
    /// Before the classes of traffic that are left out.
    pub(super) left_out: &'static str,
    /// The days are not all computed.
    pub(super) unfinished: &'static str,
    /// Leads to the dashboard.
    pub(super) more: &'static str,
    /// Between three digits.
    thousands: char,
    /// Before a fraction.
    decimal: char,
}

/// All of them; the first is for those who want none.
static ALL: [Words; 4] = [
    Words {
        language: "en",
        titles: [("day", "Daily report"), ("week", "Weekly report"), ("month", "Monthly report")],
        totals: ["Visitors", "Visits", "Page views", "Views per visit", "Bounce rate", "Visit duration"],
        dimensions: [
            ("page", "Pages"),
            ("source", "Sources"),
            ("campaign", "Campaigns"),
            ("country", "Countries"),
            ("device", "Devices"),
            ("event", "Events"),
        ],
        by_day: "Days",
        compared: "Changes are against the period before.",
        nothing: "Nobody came in this time.",
        left_out: "Events left out",
        unfinished: "Not all of these days were computed when this was sent.",
        more: "See more",
        thousands: ',',
        decimal: '.',
    },
    Words {
        language: "de",
        titles: [("day", "Tagesbericht"), ("week", "Wochenbericht"), ("month", "Monatsbericht")],
        totals: ["Besucher", "Besuche", "Seitenaufrufe", "Seiten je Besuch", "Absprungrate", "Besuchsdauer"],
        dimensions: [
            ("page", "Seiten"),
            ("source", "Quellen"),
            ("campaign", "Kampagnen"),
            ("country", "Länder"),
            ("device", "Geräte"),
            ("event", "Ereignisse"),
        ],
        by_day: "Tage",
        compared: "Änderungen gegenüber dem Zeitraum davor.",
        nothing: "In dieser Zeit kam niemand.",
        left_out: "Nicht gezählte Ereignisse",
        unfinished: "Als dieser Bericht versandt wurde, waren nicht alle Tage berechnet.",
        more: "Mehr ansehen",
        thousands: '.',
        decimal: ',',
    },
    Words {
        language: "ja",
        titles: [("day", "日次レポート"), ("week", "週次レポート"), ("month", "月次レポート")],
        totals: ["訪問者数", "訪問数", "ページビュー", "訪問あたりPV", "直帰率", "滞在時間"],
        dimensions: [
            ("page", "ページ"),
            ("source", "参照元"),
            ("campaign", "キャンペーン"),
            ("country", "国"),
            ("device", "端末"),
            ("event", "イベント"),
        ],
        by_day: "日別",
        compared: "変化は前の期間との比較です。",
        nothing: "この期間の訪問はありません。",
        left_out: "除外されたイベント",
        unfinished: "送信時に、集計の終わっていない日がありました。",
        more: "詳しく見る",
        thousands: ',',
        decimal: '.',
    },
    Words {
        language: "ko",
        titles: [("day", "일간 보고서"), ("week", "주간 보고서"), ("month", "월간 보고서")],
        totals: ["방문자", "방문", "페이지뷰", "방문당 페이지뷰", "이탈률", "방문 시간"],
        dimensions: [
            ("page", "페이지"),
            ("source", "유입 경로"),
            ("campaign", "캠페인"),
            ("country", "국가"),
            ("device", "기기"),
            ("event", "이벤트"),
        ],
        by_day: "일별",
        compared: "변화는 이전 기간과 비교한 값입니다.",
        nothing: "이 기간에는 방문이 없습니다.",
        left_out: "제외된 이벤트",
        unfinished: "보낼 때 집계가 끝나지 않은 날이 있었습니다.",
        more: "자세히 보기",
        thousands: ',',
        decimal: '.',
    },
];

impl Words {
    /// The languages that there are.
    pub fn languages() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|words| words.language)
    }

    /// The words of a language.
    #[must_use]
    pub fn of(language: &str) -> Option<&'static Words> {
        ALL.iter().find(|words| words.language == language)
    }

    /// The words of a language, of English where there are none.
    #[must_use]
    pub fn of_or_english(language: &str) -> &'static Words {
        Words::of(language).unwrap_or(&ALL[0])
    }

    /// The dimensions that a report lists, in this order.
    pub fn dimensions() -> impl Iterator<Item = &'static str> {
        ALL[0].dimensions.iter().map(|(name, _)| *name)
    }

    /// The title of a report of a day, a week or a month.
    pub(super) fn title(&self, every: &'static str) -> &'static str {
        self.titles.iter().find(|(known, _)| *known == every).map_or(every, |(_, title)| title)
    }

    /// The name of a dimension.
    pub(super) fn dimension<'a>(&self, name: &'a str) -> &'a str {
        self.dimensions.iter().find(|(known, _)| *known == name).map_or(name, |(_, title)| title)
    }

    /// A whole number as people write it.
    pub(super) fn whole(&self, n: u64) -> String {
        let digits = n.to_string();
        let mut out = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                out.push(self.thousands);
            }
            out.push(digit);
        }
        out
    }

    /// A number with so many digits behind the point.
    pub(super) fn fraction(&self, n: f64, digits: usize) -> String {
        format!("{n:.digits$}").replace('.', self.decimal.encode_utf8(&mut [0; 4]))
    }
}
