//! Messages as mail: text and a small page of HTML, threaded by the alert that they are about.

use std::fmt::Write as _;
use std::time::SystemTime;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart};

use crate::Letter;
use crate::message::{MEMBERS_MAX, Message, minute};
use crate::report::{self, Report};
use crate::text::{describe, facts, headline, html, link, more_than};

/// Who writes to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letterhead {
    pub(crate) from: Mailbox,
    pub(crate) to: Vec<Mailbox>,
}

/// The most people that a mail is sent to.
const TO_MAX: usize = 50;

impl Letterhead {
    /// Reads addresses: `alt@example.com` or `Alerts <alt@example.com>`.
    ///
    /// # Errors
    /// Which of them is none, or that there are too many or none.
    pub fn new(from: &str, to: &[String]) -> Result<Letterhead, String> {
        let mailbox = |text: &str| {
            let read = text
                .parse::<Mailbox>()
                .ok()
                .filter(|_| text.is_ascii() && !text.contains(|c: char| c.is_control()));
            read.ok_or_else(|| format!("`{}` is no address of mail", crate::text::line(text, 100)))
        };
        if !(1..=TO_MAX).contains(&to.len()) {
            return Err(format!("a mail goes to 1 to {TO_MAX} addresses, not {}", to.len()));
        }
        Ok(Letterhead {
            from: mailbox(from)?,
            to: to.iter().map(|text| mailbox(text)).collect::<Result<_, _>>()?,
        })
    }

    /// The bytes of a mail, with CRLF.
    pub(crate) fn write(&self, letter: Letter<'_>, now: SystemTime) -> Result<Vec<u8>, String> {
        let domain = self.from.email.domain();
        let (thread, subject, parts) = match letter {
            Letter::Alert(message) => (&message.episode, subject(&headline(message)), parts(message)),
            Letter::Report(report) => (&report.thread, subject(&report.headline()), parts_of_report(report)?),
        };
        // No mail has the thread's own name: repeats of the first would otherwise be dropped as copies of it.
        let thread = format!("<episode.{}@{domain}>", word(thread));
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .date(now)
            .subject(subject)
            .message_id(Some(format!("<{}@{domain}>", word(letter.id()))))
            .in_reply_to(thread.clone())
            .references(thread)
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let mail = builder.multipart(parts);
        mail.map(|mail| mail.formatted()).map_err(|e| format!("the mail cannot be written: {e}"))
    }
}

/// A headline in which nothing is an encoded word of RFC 2047: a reader of mail would decode it, and show what
/// `text::line` left out.
fn subject(headline: &str) -> String {
    headline.replace("=?", "= ?")
}

fn parts(message: &Message) -> MultiPart {
    MultiPart::alternative_plain_html(describe(message), page(message))
}

/// Text and page, and the table as a file.
fn parts_of_report(report: &Report) -> Result<MultiPart, String> {
    let csv = ContentType::parse("text/csv; charset=utf-8").map_err(|e| e.to_string())?;
    let table = Attachment::new(report.file_name()).body(report.csv.clone(), csv);
    let shown = MultiPart::alternative_plain_html(report::describe(report), report::page(report));
    Ok(MultiPart::mixed().multipart(shown).singlepart(table))
}

/// An id as a part of an address: ours are of these characters already.
fn word(id: &str) -> String {
    id.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .take(120)
        .collect()
}

fn page(message: &Message) -> String {
    let mut out = String::from("<!doctype html><html><head><meta charset=\"utf-8\"></head><body>");
    let _ = write!(out, "<h3>{}</h3><table>", html(&headline(message)));
    for (name, value) in facts(message) {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td></tr>", html(&name), html(&value));
    }
    out.push_str("</table>");
    if !message.members.is_empty() {
        out.push_str("<ul>");
        for member in message.members.iter().take(MEMBERS_MAX) {
            let head = headline(&message.of_member(member));
            let _ = write!(out, "<li>{} {}</li>", minute(member.started), html(&head));
        }
        out.push_str("</ul>");
    }
    if let Some(more) = more_than(message.members.len()) {
        let _ = write!(out, "<p>and {more} more</p>");
    }
    if let Some(link) = link(message) {
        let link = html_link(link);
        let _ = write!(out, "<p><a href=\"{link}\">{link}</a></p>");
    }
    out.push_str("</body></html>\n");
    out
}

/// A link in HTML; it holds no quotes and no brackets already.
fn html_link(link: &str) -> String {
    link.replace('&', "&amp;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::sample;

    fn letterhead() -> Letterhead {
        Letterhead::new(
            "Alerts <alt@example.com>",
            &["ops@example.com".to_owned(), "b@example.org".to_owned()],
        )
        .unwrap()
    }

    fn written(message: &Message) -> String {
        String::from_utf8(letterhead().write(Letter::Alert(message), SystemTime::UNIX_EPOCH).unwrap())
            .unwrap()
    }

    #[test]
    fn a_mail_is_threaded_and_says_who_writes() {
        let mail = written(&sample());
        let head = mail.split("\r\n\r\n").next().unwrap();
        let shown: Vec<&str> = head.lines().filter(|line| !line.contains("boundary")).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        From: Alerts <alt@example.com>
        Date: Thu, 01 Jan 1970 00:00:00 +0000
        Subject: FIRING high: Error rate of /api/* is 12.5 %
        Message-ID: <msg_2f0c7a@example.com>
        In-Reply-To: <episode.ep_19@example.com>
        References: <episode.ep_19@example.com>
        Auto-Submitted: auto-generated
        To: ops@example.com, b@example.org
        MIME-Version: 1.0
        Content-Type: multipart/alternative;
        "#);
    }

    #[test]
    fn a_title_adds_no_header_and_turns_no_subject_around() {
        let plain = written(&sample());
        let names = |mail: &str| -> Vec<String> {
            let head = mail.split("\r\n\r\n").next().unwrap().to_owned();
            let lines = head.lines().filter(|line| !line.starts_with([' ', '\t']));
            lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
        };
        for title in [
            "x\r\nBcc: evil@example.net",
            "x\nBcc: evil@example.net",
            "x\rBcc: evil@example.net",
            "x\u{2028}Bcc: evil@example.net",
            "x\r\n\r\n<script>alert(1)</script>",
            "x\u{85}Bcc: evil@example.net",
            "=?utf-8?q?x=0D=0ABcc:_evil@example.net?=",
            "\u{202e}gnirif",
            &"é\r\n".repeat(500),
        ] {
            let mut message = sample();
            message.title = title.to_owned();
            message.episode = title.to_owned();
            message.id = title.to_owned();
            let mail = written(&message);
            assert_eq!(names(&mail), names(&plain), "{title:?}");
            let head = mail.split("\r\n\r\n").next().unwrap();
            assert!(head.is_ascii() && !head.replace("\r\n", "").contains(['\r', '\n']), "{head:?}");
            assert!(!head.contains("=?utf-8?q?x"), "{head}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let to = |text: &str| Letterhead::new("alt@example.com", &[text.to_owned()]);
        for wrong in
            ["", "ops", "ops@", "@example.com", "a@b\r\nRCPT TO:<c@d>", "a b@example.com", "ops@exämple.com"]
        {
            assert!(to(wrong).is_err(), "{wrong:?}");
        }
        assert!(to("Ops <ops@example.com>").is_ok());
        assert!(Letterhead::new("alt@example.com", &[]).is_err());
        assert!(Letterhead::new("alt@example.com", &vec!["a@example.com".to_owned(); 51]).is_err());
    }

    #[test]
    fn the_page_of_a_mail_has_no_tag_of_a_stranger() {
        let mut message = sample();
        message.title = "<img src=x onerror=alert(1)>".into();
        message.labels = [("<b>".to_owned(), "\"><script>".to_owned())].into();
        message.link = Some("https://stats.example.com/?a=1&b=2".into());
        let page = page(&message);
        assert!(!page.contains("<img") && !page.contains("<b>") && !page.contains("<script"), "{page}");
        assert!(page.contains("<a href=\"https://stats.example.com/?a=1&amp;b=2\">"), "{page}");
    }
}
