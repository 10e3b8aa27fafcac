//! Which requests of a site's own log are page views.

/// Requests for these, by the extension of their path, are no page views: what pages are made of, and what robots read.
#[rustfmt::skip]
pub const STATIC: &[&str] = &[
    "7z", "atom", "avif", "bmp", "bz2", "css", "csv", "doc", "docx", "eot", "flac", "gif", "gz", "ico", "ics", "jpeg", "jpg", "js",
    "json", "m3u8", "m4a", "m4v", "map", "mjs", "mov", "mp3", "mp4", "mpeg", "ogg", "otf", "pdf", "png", "ppt", "pptx", "rar", "rss",
    "svg", "tar", "tgz", "ts", "ttf", "txt", "wasm", "wav", "webm", "webmanifest", "webp", "woff", "woff2", "xls", "xlsx", "xml", "zip",
];

/// Whether the path is that of a static file. A fragment behind it does not count.
pub fn is_static(path: &str) -> bool {
    let path = path.split('#').next().unwrap_or(path);
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| STATIC.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

/// Whether a request is a page view: a GET that was answered 2xx or 304, and not of a static file. A request whose method
/// or status is not known (`""`, `None`) is none.
pub fn is_page(method: &str, status: Option<i16>, path: &str) -> bool {
    method == "GET" && status.is_some_and(|status| matches!(status, 200..=299 | 304)) && !is_static(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_a_get_got_and_no_static_file() {
        let check = |method, status, path: &str| is_page(method, Some(status), path);
        for path in [
            "",
            "/",
            "/about",
            "/a.html",
            "/index.php",
            "/v1.2/intro",
            "/file.css/",
            "/.well-known/x",
            "/a.txt.html",
            "/a#b.css",
        ] {
            assert!(check("GET", 200, path) && check("GET", 304, path), "{path}");
        }
        for path in ["/a.css", "/A.PNG", "/robots.txt", "/feed.xml", "/a/b.woff2", "/x.js#top", "/.css"] {
            assert!(!check("GET", 200, path), "{path}");
        }
        for (method, status) in
            [("POST", 200), ("HEAD", 200), ("GET", 301), ("GET", 404), ("GET", 500), ("get", 200), ("", 200)]
        {
            assert!(!check(method, status, "/"), "{method} {status}");
        }
        assert!(!is_page("GET", None, "/"));
    }
}
