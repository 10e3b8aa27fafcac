//! HTTP/2 by hand (RFC 9113, RFC 7541): a request that repeats the one before it in a few bytes.

use std::io::{Read, Write};
use std::net::TcpStream;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Entries of HPACK's static table, by which names are said.
const METHOD: usize = 2;
const PATH: usize = 4;
const AUTHORITY: usize = 1;
/// The first entry of the dynamic table: what was added last.
const NEWEST: u8 = 62;

/// A connection on which all requests are the same. The first puts its headers into the server's table of 4,096
/// bytes; each of the others is 15 bytes, and says all of them again.
pub(crate) struct Http2 {
    connection: TcpStream,
    first: Vec<u8>,
    again: Vec<u8>,
    next_stream: u32,
    received: Vec<u8>,
    /// Bytes sent.
    pub(crate) sent: usize,
}

impl Http2 {
    /// Begins, with prior knowledge. Headers are names by their entry in the static table, and values.
    pub(crate) fn begin(
        connection: TcpStream,
        method: &str,
        path: &str,
        headers: &[(usize, &[u8])],
    ) -> Http2 {
        let mut named = vec![
            (METHOD, method.as_bytes()),
            (PATH, path.as_bytes()),
            (AUTHORITY, b"events.example.com".as_slice()),
        ];
        named.extend_from_slice(headers);
        let mut first = vec![0x86]; // :scheme http
        for (name, value) in &named {
            integer(&mut first, *name, 6, 0x40);
            integer(&mut first, value.len(), 7, 0);
            first.extend_from_slice(value);
        }
        let count = u8::try_from(named.len()).unwrap();
        let again = [0x86].into_iter().chain((0..count).rev().map(|n| 0x80 | (NEWEST + n))).collect();
        let mut http2 = Http2 { connection, first, again, next_stream: 1, received: Vec::new(), sent: 0 };
        // Answers may be as many bytes as they like: the window of each stream, and that of the connection.
        let window = [&4_u16.to_be_bytes()[..], &0x7fff_ffff_u32.to_be_bytes()].concat();
        let start = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(4, 0, 0, &window),
            frame(8, 0, 0, &(0x7fff_ffff_u32 - 65_535).to_be_bytes()),
            frame(4, 1, 0, b""),
        ]
        .concat();
        http2.send(&start);
        http2
    }

    fn send(&mut self, bytes: &[u8]) {
        self.connection.write_all(bytes).expect("send");
        self.sent += bytes.len();
    }

    /// Sends the request so often, fewer than the server allows at once, and waits until all have an answer.
    pub(crate) fn ask(&mut self, count: usize) {
        let mut bytes = Vec::new();
        for _ in 0..count {
            let block = if self.next_stream == 1 { &self.first } else { &self.again };
            bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, self.next_stream, block));
            self.next_stream += 2;
        }
        self.send(&bytes);
        let mut ended = 0;
        let mut buffer = [0; 16 * 1024];
        while ended < count {
            let n = self.connection.read(&mut buffer).expect("read");
            assert!(n > 0, "the server closed the connection after {ended} of {count} answers");
            self.received.extend_from_slice(&buffer[..n]);
            let mut at = 0;
            while let Some(head) = self.received.get(at..at + 9) {
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                let (kind, flags) = (head[3], head[4]);
                if self.received.len() < at + 9 + length {
                    break;
                }
                assert_ne!(kind, GOAWAY, "the server ends the connection");
                ended +=
                    usize::from(kind == RESET || (matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0));
                at += 9 + length;
            }
            self.received.drain(..at);
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// RFC 7541, section 5.1: a number in the last bits of a byte, and what has no room there in those behind it.
fn integer(to: &mut Vec<u8>, mut value: usize, bits: u32, first: u8) {
    let most = (1 << bits) - 1;
    if value < most {
        return to.push(first | u8::try_from(value).unwrap());
    }
    to.push(first | u8::try_from(most).unwrap());
    value -= most;
    while value >= 128 {
        to.push(u8::try_from(value % 128).unwrap() | 128);
        value /= 128;
    }
    to.push(u8::try_from(value).unwrap());
}
