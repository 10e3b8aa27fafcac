//! An S3 server: the protocol and its signatures by `s3s`, over a directory; with faults on the way to it.
//!
//!     s3-server DIRECTORY ACCESS-KEY SECRET [no-checksums | refuses-checksums]
//!
//! With `no-checksums` it says nothing of checksums; with `refuses-checksums` it refuses requests that have one.
//! The first line that it writes is its address. Then it takes commands, one a line of its standard input, and answers
//! each with a line: those of [`plan::Plan::take`] (`ok`), `requests` (their number, and behind it a line each),
//! `begin KEY` (`ok`), which begins an upload as somebody who then is gone, and `unfinished`, the number of uploads that
//! have begun and not ended. It ends with its standard input, and so with whoever started it.

mod plan;
mod store;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};

use plan::{Fault, Plan};
use store::{Store, Uploads};

/// Headers of requests that are noted.
const OPTIONS: [&str; 6] = [
    "if-none-match",
    "cache-control",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
    "x-amz-tagging",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (directory, key, secret, checksums, refuses) = match arguments.as_slice() {
        [directory, key, secret] => (directory, key, secret, true, false),
        [directory, key, secret, last] if last == "no-checksums" => (directory, key, secret, false, false),
        [directory, key, secret, last] if last == "refuses-checksums" => {
            (directory, key, secret, false, true)
        }
        _ => {
            eprintln!("s3-server DIRECTORY ACCESS-KEY SECRET [no-checksums | refuses-checksums]");
            return ExitCode::FAILURE;
        }
    };
    let uploads = Uploads::default();
    let mut builder =
        S3ServiceBuilder::new(Store::new(PathBuf::from(directory), Arc::clone(&uploads), checksums));
    builder.set_auth(SimpleAuth::from_single(key.as_str(), secret.as_str()));
    let service = builder.build();
    let plan = Arc::new(Mutex::new(Plan::default()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime.spawn(serve(listener, service, Arc::clone(&plan), refuses));
    tell(&[address.to_string()]);
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        tell(&command(&line, &plan, &uploads));
    }
    ExitCode::SUCCESS
}

/// Writes whole lines at once.
fn tell(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all((lines.join("\n") + "\n").as_bytes()).and_then(|()| out.flush());
}

fn command(line: &str, plan: &Mutex<Plan>, uploads: &Uploads) -> Vec<String> {
    let mut plan = plan.lock().expect("nobody panics");
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["requests"] => {
            let requests = plan.requests();
            [vec![requests.len().to_string()], requests].concat()
        }
        ["unfinished"] => vec![uploads.lock().expect("nobody panics").len().to_string()],
        ["begin", key] => {
            let id = "00000000-0000-4000-8000-000000000000".to_owned();
            uploads.lock().expect("nobody panics").insert(id, ((*key).to_owned(), HashMap::new()));
            vec!["ok".to_owned()]
        }
        words => vec![plan.take(words).map_or_else(|e| e, |()| "ok".to_owned())],
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Error>>;
type Error = Box<dyn std::error::Error + Send + Sync>;

async fn serve(
    listener: tokio::net::TcpListener,
    service: S3Service,
    plan: Arc<Mutex<Plan>>,
    refuses_checksums: bool,
) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let (service, plan) = (service.clone(), Arc::clone(&plan));
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                answer(request, service.clone(), Arc::clone(&plan), refuses_checksums)
            });
            // An error closes the connection: that is what some faults are.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), answer)
                .await;
        });
    }
}

/// An answer that something is refused.
async fn refusal(
    request: Request<Incoming>,
    status: u16,
    code: &str,
    message: &str,
) -> Result<Answer, Error> {
    // A client that still sends sees the connection end otherwise.
    let _ = request.into_body().collect().await;
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    Ok(Response::builder().status(status).body(body)?)
}

async fn answer(
    request: Request<Incoming>,
    service: S3Service,
    plan: Arc<Mutex<Plan>>,
    refuses_checksums: bool,
) -> Result<Answer, Error> {
    let checksum = request.headers().keys().find(|name| {
        ["x-amz-checksum-", "x-amz-sdk-checksum-"].iter().any(|of| name.as_str().starts_with(of))
    });
    let refused = checksum.filter(|_| refuses_checksums).map(ToString::to_string);
    let fault = {
        let said = OPTIONS.iter().filter_map(|name| Some((name, request.headers().get(*name)?)));
        let said: String =
            said.map(|(name, value)| format!(" {name}={}", value.to_str().unwrap_or("?"))).collect();
        let request = format!("{} {}{said}", request.method(), request.uri());
        plan.lock().expect("nobody panics").meet(request)
    };
    if let Some(header) = refused {
        let message = format!("Unsupported header '{header}' received for this API call.");
        return refusal(request, 400, "InvalidArgument", &message).await;
    }
    match fault {
        Some(Fault::Answer(status, code)) => return refusal(request, status, &code, "so it is").await,
        Some(Fault::Reset) => return Err("reset".into()),
        Some(Fault::Slow(time)) => tokio::time::sleep(Duration::from_millis(time)).await,
        _ => {}
    }
    let request = request.map(s3s::Body::from);
    let answer = service.call(request).await.map_err(|e| format!("{e:?}"))?;
    match fault {
        Some(Fault::NoAnswer) => Err("no answer".into()),
        Some(Fault::HalfAnswer) => {
            let (parts, body) = answer.into_parts();
            let bytes = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
            let half = bytes.slice(..bytes.len() / 2);
            let pieces: Vec<Result<Frame<Bytes>, Error>> = vec![Ok(Frame::data(half)), Err("half".into())];
            let mut answer = Response::from_parts(
                parts,
                StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync(),
            );
            let length = bytes.len().into();
            answer.headers_mut().insert(hyper::header::CONTENT_LENGTH, length);
            Ok(answer)
        }
        _ => Ok(answer.map(|body| body.map_err(|e| e.to_string().into()).boxed_unsync())),
    }
}
